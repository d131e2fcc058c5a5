import type { Exclusions as WalkExclusions } from '@holdfast/archive/source/source.ts';
import picomatch from 'picomatch';
import type { Config } from '../config.ts';
import { AgentError } from '../errors.ts';
import type { Exclusions } from './backup-set.ts';

/**
 * Exclusions as people write them, compiled to the plain data that the walk takes into its worker threads.
 *
 * What a glob means (picomatch: `*`, `?`, `**`, `[a-z]`, `{a,b}`, `!(x)`):
 * - without a slash (`*.tmp`, `node_modules`) it names entries anywhere;
 * - from `/`, `~` or a drive (`~/.cache`, `/var/log/*.gz`) it names paths from there;
 * - otherwise (`build/output`) it names the end of a path, as if `**` and a slash stood in front;
 * - with a slash at its end it names folders only.
 *
 * What matches is left out with everything below it.
 */
/** Hidden names are names like others; `[!a]` means what it means in a shell. */
const GLOB = { dot: true, strictSlashes: true, posix: true };

type Place = Pick<Config, 'userHome' | 'platform'>;

export function globsOf(exclude: Exclusions, platform: NodeJS.Platform): readonly string[] {
  const own = platform === 'linux' || platform === 'darwin' || platform === 'win32' ? (exclude[platform] ?? []) : [];
  return [...(exclude.all ?? []), ...own];
}

/** `always` are paths that no set may hold: the agent's own state folder. */
export function compileExclusions(exclude: Exclusions, place: Place, always: readonly string[] = []): WalkExclusions {
  return {
    patterns: globsOf(exclude, place.platform).map((glob) => patternOf(glob, place)),
    paths: always.map((path) => Buffer.from(path)),
    // Names differ only by case on the other systems' usual disks, and people write what they see.
    ignoreCase: place.platform !== 'linux',
  };
}

/** Refuses what cannot be meant, so that a typing error does not go unnoticed. */
export function checkGlob(glob: string): string {
  const trimmed = glob.trim();
  if (trimmed.replaceAll('/', '') === '') throw new AgentError('glob_invalid', { what: 'An empty exclusion' });
  try {
    picomatch.makeRe(trimmed, { ...GLOB, strictBrackets: true });
    new RegExp(patternOf(trimmed, { userHome: '/', platform: 'linux' }), 'u');
  } catch (cause) {
    throw new AgentError('glob_invalid', { what: `${glob}: ${(cause as Error).message}`, cause });
  }
  return trimmed;
}

/** The walk matches whole paths, a folder's with `/` at its end. */
function patternOf(glob: string, { userHome, platform }: Place): string {
  const forFolders = glob.length > 1 && glob.endsWith('/');
  const bare = (platform === 'win32' ? slashes(glob) : glob).replace(/(?<=.)\/$/, '');
  const begin = isAnchored(bare) ? '^' : '(?:^|/)';
  return `(?s:${begin}${bodyOf(expandHome(bare, userHome))}${forFolders ? '/$' : '/?$'})`;
}

const isAnchored = (glob: string) => /^(?:\/|~$|~\/|[a-z]:\/)/i.test(glob);

function expandHome(glob: string, userHome: string): string {
  return glob === '~' || glob.startsWith('~/') ? escapeGlob(slashes(userHome)) + glob.slice(1) : glob;
}

/** picomatch's expression without anchors, in the stricter syntax of the flag `u`. */
function bodyOf(glob: string): string {
  const { output } = (picomatch.parse as (glob: string, options: object) => unknown)(glob, GLOB) as { output: string };
  const strict = output.replace(/\\(.)/gsu, (escaped, character: string) => {
    if (character === '-') return '\\x2d';
    return /[\w^$\\.*+?()[\]{}|/]/.test(character) ? escaped : character;
  });
  return `(?:${strict})`;
}

const slashes = (path: string): string => path.replaceAll('\\', '/');
const escapeGlob = (path: string): string => path.replace(/[*?[\]{}()!+@|^$.]/g, '\\$&');
