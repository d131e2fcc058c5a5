import { AgentError } from '../../errors.ts';
import { parseDuration } from '../../limits/units.ts';
import { type BackupSet, DEFAULT_EXCLUDE, type Exclusions, newSet, parseRoot } from '../../sets/backup-set.ts';
import { checkGlob, globsOf } from '../../sets/globs.ts';
import { describeDoubt, doubtsAbout } from '../../sets/root-doubts.ts';
import { editSettings, findSet, readSettings, type Settings, setsOf } from '../../state/settings.ts';
import { type CommandModule, type Input, listOption, textOption } from '../command.ts';
import { type Context, homeOf } from '../context.ts';
import { tellDaemon } from '../tell-daemon.ts';

type Run = CommandModule['run'];

export const list: Run = async (context) => {
  const sets = setsOf(readSettings(homeOf(context)));
  context.out.result({ sets }, () => {
    if (sets.length === 0) context.out.line('No backup sets. Enrolling brings one; `holdfast sets add` makes another.');
    for (const each of sets) show(context, each);
  });
  return undefined;
};

export const add: Run = async (context, input) => {
  const [name = '', ...paths] = input.arguments;
  const id = Buffer.from(context.random(16)).toString('hex');
  const exclude = input.options['defaultExclude'] === false ? {} : DEFAULT_EXCLUDE;
  const roots = paths.map((path) => parseRoot(path, placeOf(context)));
  return change(context, (settings) => {
    refuseTaken(settings, name);
    const set = edited(newSet(id, name, unique(roots), { exclude }), input, placeOf(context));
    return { set, settings: withOwn(settings, set) };
  });
};

export const edit: Run = async (context, input) =>
  change(context, (settings) => {
    const before = findSet(settings, input.arguments[0] ?? '');
    const rename = textOption(input, 'rename');
    if (rename !== undefined && rename !== before.name) refuseTaken(settings, rename);
    const set = edited({ ...before, ...(rename !== undefined && { name: rename }) }, input, placeOf(context));
    return { set, settings: withOwn(settings, set) };
  });

export const remove: Run = async (context, input) =>
  change(context, (settings) => {
    const set = findSet(settings, input.arguments[0] ?? '');
    if (setsOf(settings).length === 1) throw new AgentError('set_last');
    const own = settings.own.sets.filter(({ id }) => id !== set.id);
    const removed = settings.policy?.sets.some(({ id }) => id === set.id)
      ? [...settings.own.removed, set.id]
      : settings.own.removed;
    return { set, settings: { ...settings, own: { ...settings.own, sets: own, removed } }, removed: true };
  });

type Change = { readonly set: BackupSet; readonly settings: Settings; readonly removed?: boolean };

async function change(context: Context, decide: (settings: Settings) => Change): Promise<undefined> {
  const home = homeOf(context);
  let decided: Change | undefined;
  editSettings(home, (settings) => {
    decided = decide(settings);
    return decided.settings;
  });
  await tellDaemon(home, { do: 'reload' });
  const { set, removed = false } = decided!;
  const doubts = removed ? [] : doubtsAbout(set.roots, context.config);
  context.out.result({ set, removed, doubts }, () => {
    if (removed) context.out.line(`"${set.name}" is removed; its snapshots stay.`);
    else show(context, set);
  });
  for (const doubt of doubts) context.out.note(`Look at this: ${describeDoubt(doubt)}`);
  return undefined;
}

function withOwn(settings: Settings, set: BackupSet): Settings {
  const others = settings.own.sets.filter(({ id }) => id !== set.id);
  return { ...settings, own: { ...settings.own, sets: [...others, set] } };
}

function refuseTaken(settings: Settings, name: string): void {
  if (name.trim() === '') throw new AgentError('usage', { what: 'A set needs a name' });
  if (setsOf(settings).some((set) => set.name === name)) throw new AgentError('set_exists', { what: `"${name}"` });
}

type Place = Parameters<typeof parseRoot>[1];
const placeOf = ({ cwd, config }: Context): Place => ({ cwd, userHome: config.userHome, root: config.root });

function edited(set: BackupSet, input: Input, place: Place): BackupSet {
  const dropped = listOption(input, 'drop').map((path) => parseRoot(path, place));
  const unknown = dropped.find((root) => !set.roots.includes(root));
  if (unknown !== undefined) throw new AgentError('selection_invalid', { what: `${unknown} is not selected` });
  const added = listOption(input, 'add').map((path) => parseRoot(path, place));
  const roots = unique([...set.roots.filter((root) => !dropped.includes(root)), ...added]);
  if (roots.length === 0) throw new AgentError('selection_invalid', { what: 'Nothing would be left of the selection' });
  return {
    ...set,
    roots,
    exclude: editedExclusions(set.exclude, listOption(input, 'exclude').map(checkGlob), listOption(input, 'include')),
    priority: priorityOf(textOption(input, 'priority')) ?? set.priority,
    everyMinutes: minutesOf(textOption(input, 'every')) ?? set.everyMinutes,
    fullWalkAt: timeOf(textOption(input, 'walkAt')) ?? set.fullWalkAt,
  };
}

/** Own exclusions apply on every system; `--include` takes one away wherever it stands. */
function editedExclusions(before: Exclusions, added: readonly string[], taken: readonly string[]): Exclusions {
  const known = Object.values(before).flat();
  const unknown = taken.find((glob) => !known.includes(glob));
  if (unknown !== undefined) throw new AgentError('glob_invalid', { what: `${unknown} is not excluded` });
  const kept = Object.entries(before).map(([platform, globs]) => [
    platform,
    globs.filter((glob) => !taken.includes(glob)),
  ]);
  const exclude = Object.fromEntries(kept) as Exclusions;
  return { ...exclude, all: unique([...(exclude.all ?? []), ...added]) };
}

function priorityOf(text: string | undefined): number | null {
  if (text === undefined) return null;
  if (!/^\d{1,4}$/.test(text)) throw new AgentError('usage', { what: `"${text}" is no priority: use 1, 2, 3` });
  return Number(text);
}

function minutesOf(text: string | undefined): number | null {
  if (text === undefined) return null;
  const minutes = Math.round(parseDuration(text) / 60_000);
  if (minutes < 1 || minutes > 7 * 24 * 60) throw new AgentError('duration_invalid', { what: 'Between 1m and 7d' });
  return minutes;
}

function timeOf(text: string | undefined): string | null {
  if (text === undefined) return null;
  if (!/^([01]?\d|2[0-3]):[0-5]\d$/.test(text))
    throw new AgentError('usage', { what: `"${text}" is no time of day: use 03:00` });
  return text.padStart(5, '0');
}

const unique = <T>(items: readonly T[]): T[] => [...new Set(items)];

function show({ out, config }: Context, set: BackupSet): void {
  const globs = globsOf(set.exclude, config.platform);
  out.line(`${set.name} (priority ${set.priority}, every ${set.everyMinutes} min, everything at ${set.fullWalkAt})`);
  for (const root of set.roots) out.line(`  + ${root}`);
  if (globs.length > 0) out.line(`  - ${globs.join(', ')}`);
}
