import { isAbsolute, join, resolve } from 'node:path';
import type { BackupSetSetting, RetentionSetting } from '@holdfast/protocol/device-settings.ts';
import type { Config } from '../config.ts';
import { AgentError } from '../errors.ts';
import { type Fields, isFields, list, number, optional, text } from '../state/record.ts';

/**
 * A backup set: what is protected and when. The server's policy brings sets; a person may edit them or add own ones.
 *
 * Nouns: the *roots* are the selected files and folders; the *exclusions* are globs (`globs.ts`); the set with the
 * lowest *priority* number goes first.
 */
export type BackupSet = Omit<BackupSetSetting, 'exclude'> & { readonly exclude: Exclusions };

export type Platform = 'linux' | 'darwin' | 'win32';
export type Exclusions = { readonly [P in Platform | 'all']?: readonly string[] };

export const DEFAULT_EVERY_MINUTES = 15;
export const DEFAULT_FULL_WALK_AT = '03:00';

/** Nothing of value to its owner, and large or in constant motion. A set may name others, or none. */
export const DEFAULT_EXCLUDE: Exclusions = {
  all: ['*.tmp', '*.crdownload', '*.part', '.nobackup'],
  linux: ['~/.cache', '**/.local/share/Trash', '/proc', '/sys', '/dev', '/run', '/tmp', '/var/tmp', '/lost+found'],
  darwin: [
    '**/Library/Caches',
    '**/.Trash',
    '.DS_Store',
    '/private/tmp',
    '/private/var/folders',
    '/System/Volumes',
    '/dev',
  ],
  win32: [
    '**/AppData/Local/Temp',
    '**/$Recycle.Bin',
    'pagefile.sys',
    'hiberfil.sys',
    'swapfile.sys',
    'System Volume Information',
  ],
};

/** Server-side retention decides; this stands in where no server has said anything yet. */
const UNSAID: RetentionSetting = {
  steps: [{ untilDays: null, everyMinutes: DEFAULT_EVERY_MINUTES }],
  deletedDays: null,
};

export function newSet(
  id: string,
  name: string,
  roots: readonly string[],
  changes: Partial<BackupSet> = {},
): BackupSet {
  return {
    id,
    name,
    priority: 1,
    everyMinutes: DEFAULT_EVERY_MINUTES,
    fullWalkAt: DEFAULT_FULL_WALK_AT,
    roots: [...roots],
    exclude: DEFAULT_EXCLUDE,
    retention: UNSAID,
    ...changes,
  };
}

/** `~` is the home of whoever the agent runs for; for the machine's own agent (root) it is every user's home. */
export function expandRoots(
  roots: readonly string[],
  config: Pick<Config, 'root' | 'userHome' | 'platform'>,
): string[] {
  return roots.flatMap((root) => {
    if (root === '~') return config.root ? everyHome(config) : [config.userHome];
    if (root.startsWith('~/')) return [join(config.userHome, root.slice(2))];
    return [root];
  });
}

function everyHome({ platform, userHome }: Pick<Config, 'userHome' | 'platform'>): string[] {
  if (platform === 'darwin') return ['/Users'];
  if (platform === 'win32') return ['C:\\Users'];
  return ['/home', ...(userHome.startsWith('/home/') ? [] : [userHome])];
}

/**
 * What a person typed becomes a root: absolute and normalized, `~` kept so that it means each user's own. A shell may have written it out
 * before; root, for whom it means more than that, then has its own home alone.
 */
export function parseRoot(
  typed: string,
  { cwd, userHome, root }: { readonly cwd: string; readonly userHome: string; readonly root: boolean },
): string {
  if (typed === '') throw new AgentError('selection_invalid', { what: 'An empty path is no selection' });
  if (typed === '~' || typed.startsWith('~/')) return typed;
  const path = resolve(cwd, typed);
  return path === resolve(userHome) && !root ? '~' : path;
}

export function parseSet(value: unknown): BackupSet {
  if (!isFields(value)) throw new TypeError('a set should be an object');
  const set: BackupSet = {
    id: text(value, 'id'),
    name: text(value, 'name'),
    priority: number(value, 'priority'),
    everyMinutes: number(value, 'everyMinutes'),
    fullWalkAt: text(value, 'fullWalkAt'),
    roots: texts(value, 'roots'),
    exclude: parseExclusions(value['exclude']),
    retention: parseRetention(value['retention']),
  };
  const bad = set.roots.find((root) => !isAbsolute(root) && !root.startsWith('~'));
  if (bad !== undefined) throw new TypeError(`root ${bad} should be absolute`);
  return set;
}

function parseExclusions(value: unknown): Exclusions {
  if (!isFields(value)) throw new TypeError('exclude should be an object');
  return Object.fromEntries(Object.keys(value).map((platform) => [platform, texts(value, platform)])) as Exclusions;
}

function parseRetention(value: unknown): RetentionSetting {
  if (!isFields(value)) throw new TypeError('retention should be an object');
  const steps = list(value, 'steps').map((step) => {
    if (!isFields(step)) throw new TypeError('a retention step should be an object');
    return { untilDays: optional(number, step, 'untilDays'), everyMinutes: number(step, 'everyMinutes') };
  });
  return { steps, deletedDays: optional(number, value, 'deletedDays') };
}

function texts(fields: Fields, name: string): string[] {
  return list(fields, name).map((item) => {
    if (typeof item !== 'string') throw new TypeError(`${name} should hold texts`);
    return item;
  });
}
