import { resolve } from 'node:path';
import { lookup } from '@holdfast/archive/restore/lookup.ts';
import type { PathLike } from '@holdfast/archive/restore/path.ts';
import {
  type ExistingMode,
  type RestoreEvent,
  type RestoreResult,
  restore,
} from '@holdfast/archive/restore/restore.ts';
import type { SessionReader } from '@holdfast/archive/restore/session-reader.ts';
import { showPath } from '@holdfast/archive/source/paths.ts';
import type { Point } from '../../archive/choose.ts';
import type { OpenedArchive } from '../../archive/opened-archive.ts';
import { commonParent } from '../../archive/paths.ts';
import { hexUnlessText, pathFields, shownPath } from '../../archive/shown-path.ts';
import { formatTime } from '../../archive/time.ts';
import { AgentError } from '../../errors.ts';
import { formatBytes } from '../../limits/units.ts';
import { openArchive, pointsFor, unknownPath, withReader } from '../archive-access.ts';
import { type CommandModule, type Input, isSet, textOption } from '../command.ts';
import type { Context } from '../context.ts';
import { count, counted } from '../counts.ts';
import { EXIT, type ExitCode } from '../exit-codes.ts';
import { inWords, reasonInWords } from '../words.ts';

/** One call of the engine: a tree, what of it, and where to. */
type Job = {
  readonly point: Point;
  readonly root: Uint8Array;
  readonly select: readonly PathLike[];
  readonly target: { readonly dir: string } | 'original';
};

export const run: CommandModule['run'] = async (context, input) => {
  const to = textOption(input, 'to');
  if (to === undefined && textOption(input, 'store') !== undefined) throw new AgentError('target_missing');
  const archive = await openArchive(context, input);
  try {
    const { points, exit, refusals } = await pointsFor(context, input, archive, input.arguments);
    const jobs = await withReader(archive, (reader) => plan(reader, points, input, to && resolve(context.cwd, to)));
    const results: Done[] = [];
    for (const job of jobs) results.push({ job, result: await execute(context, input, archive, job) });
    const document = results.length === 1 ? documentOf(results[0]!) : { runs: results.map(documentOf) };
    context.out.result({ ...document, ...refusals }, () => {
      for (const each of results) show(context, each);
    });
    return exit === EXIT.ok ? exitCode(results.map(({ result }) => result)) : exit;
  } finally {
    archive.close();
  }
};

/** Everything is looked up before anything is written, so that a typing error costs nothing. */
async function plan(
  reader: SessionReader,
  points: readonly Point[],
  input: Input,
  to: string | undefined,
): Promise<Job[]> {
  const includeGone = isSet(input, 'deleted');
  const jobs: Job[] = [];
  for (const point of points) {
    for (const path of point.paths) {
      if (path !== '' && (await lookup(reader, point.snapshot.root, path, { includeGone })) === null)
        throw unknownPath(path);
    }
    jobs.push(await jobFor(reader, point, to, includeGone));
  }
  return jobs;
}

async function jobFor(reader: SessionReader, point: Point, to: string | undefined, includeGone: boolean): Promise<Job> {
  const { snapshot, paths } = point;
  const whole = paths.length === 0 || paths.includes('');
  if (to === undefined) {
    // The folders above the selection are only passed through: they are not this set's to restore
    const select = whole ? snapshot.description.paths : paths;
    return { point, root: snapshot.root, select, target: 'original' };
  }
  if (whole) return { point, root: snapshot.root, select: [], target: { dir: to } };
  const { parent, rest } = commonParent(paths);
  const tree = parent === '' ? snapshot.root : (await lookup(reader, snapshot.root, parent, { includeGone }))?.tree;
  if (tree === undefined) throw unknownPath(parent);
  return { point, root: tree, select: rest, target: { dir: to } };
}

async function execute(context: Context, input: Input, archive: OpenedArchive, job: Job): Promise<RestoreResult> {
  const { out, clock, signal } = context;
  const { snapshot } = job.point;
  const progress = await out.progress(isSet(input, 'dryRun') ? 'plan' : 'restore');
  const whole = job.select.length === 0;
  try {
    return await restore({
      endpoint: archive.endpoint,
      keys: archive.keys,
      root: job.root,
      ...(!whole && { select: job.select }),
      target: job.target,
      existing: (textOption(input, 'existing') ?? 'rename') as ExistingMode,
      includeGone: isSet(input, 'deleted'),
      dryRun: isSet(input, 'dryRun'),
      ...(whole && { expected: snapshot.description.counts }),
      now: clock.now,
      signal,
      onEvent: (event) => tell(event, context, progress),
    });
  } finally {
    progress.stop();
  }
}

function tell(event: RestoreEvent, { out }: Context, progress: Awaited<ReturnType<Context['out']['progress']>>): void {
  if (event.kind === 'progress') {
    const { done, total } = event;
    const items = { itemsDone: done.files, itemsTotal: total.files, unit: 'files' } as const;
    progress.update({ bytesDone: done.bytes, bytesTotal: total.bytes, ...items });
  } else if (event.kind === 'skipped') out.event('skipped', { ...event, kind: undefined, ...pathFields(event.path) });
  else if (event.kind === 'damaged') {
    progress.say(`damaged: ${shownPath(event.path)} (${inWords(event.code)})`);
    out.event('damaged', { ...pathFields(event.path), code: event.code });
  }
}

type Done = { readonly job: Job; readonly result: RestoreResult };

function documentOf({ job, result }: Done) {
  const { skipped, damaged, renamed, ...counts } = result;
  return {
    snapshot: job.point.snapshot.id,
    set: job.point.snapshot.set.name,
    to: job.target === 'original' ? null : job.target.dir,
    ...counts,
    skipped: skipped.map((each) => ({ ...each, ...pathFields(each.path) })),
    damaged: damaged.map(({ path, code }) => ({ ...pathFields(path), code })),
    renamed: renamed.map(({ path, to }) => ({ ...pathFields(path), to: showPath(to), toBytes: hexUnlessText(to) })),
  };
}

/** So many of each are shown; --json has more. */
const SHOWN = 10;

function show({ out, clock }: Context, { job, result }: Done): void {
  const { snapshot } = job.point;
  const { done, unchanged, renamed, renamedCount, skippedCount, damagedCount } = result;
  const place = job.target === 'original' ? 'to where they were' : `into ${job.target.dir}`;
  const what = `${counted(done.files, 'file')}, ${formatBytes(done.bytes)}`;
  const when = `${snapshot.set.name} of ${formatTime(snapshot.at, clock.zone)}`;
  if (result.kind === 'planned') {
    out.line(`Would restore ${what} ${place} (${when}), reading ${formatBytes(result.bytesRead)} from the archive.`);
  } else {
    const same = unchanged > 0 ? `; ${count(unchanged)} were right already` : '';
    out.line(`Restored ${what} ${place} (${when})${same}.`);
  }
  list(
    out,
    `${counted(renamedCount, 'file')} of the same name kept under another one:`,
    renamed.map(({ path, to }) => `${shownPath(path)} -> ${showPath(to)}`),
    renamedCount,
  );
  const lost = result.skipped.filter(({ restored }) => !restored);
  const flawed = result.skipped.filter(({ restored }) => restored);
  list(
    out,
    'Not restored:',
    lost.map(({ path, reason, detail }) => `${shownPath(path)} (${reasonInWords(reason, detail)})`),
    lost.length,
  );
  list(
    out,
    'Restored, but not in every attribute:',
    flawed.map(({ path, reason }) => `${shownPath(path)} (${reasonInWords(reason)})`),
    flawed.length,
  );
  if (skippedCount > result.skipped.length) out.line(`${count(skippedCount)} such entries in all.`);
  list(
    out,
    `${count(damagedCount)} are damaged in the archive:`,
    result.damaged.map(({ path, code }) => `${shownPath(path)} (${inWords(code)})`),
    damagedCount,
  );
}

function list(out: Context['out'], title: string, lines: readonly string[], total: number): void {
  if (lines.length === 0) return;
  out.line(title);
  for (const line of lines.slice(0, SHOWN)) out.line(`  ${line}`);
  if (total > SHOWN) out.line(`  and ${count(total - SHOWN)} more`);
}

function exitCode(results: readonly RestoreResult[]): ExitCode {
  if (results.some(({ damagedCount }) => damagedCount > 0)) return EXIT.damaged;
  return results.every(({ ok }) => ok) ? EXIT.ok : EXIT.partial;
}
