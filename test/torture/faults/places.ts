/**
 * A *place* is a step of a program at one kind of subject: `start rename store/archives/#/packs/#`. Ids and numbers are taken
 * out, so that all packs, or all files of a restore, are one place.
 */
import type { Step } from './faults.ts';

/** `null` for what changes nothing, and for files that are the machine's and not the program's. */
export function placeOf(program: string, step: Step, subject: string): string | null {
  const where = whereOf(step, subject);
  return where === null ? null : `${program} ${step} ${where}`;
}

function whereOf(step: Step, subject: string): string | null {
  if (step === 'mkdir') return null; // most find the folder that is there
  if (step === 'statement' || step === 'commit') return sqlPlace(subject);
  if (step === 'request') return subject.includes('/') ? withoutIds(subject) : null;
  return pathPlace(subject.split(' -> ').at(-1) as string);
}

const CHANGE = /^\s*(insert(?: or \w+)? into|update|delete from)\s+"?(\w+)"?/i;

/** Verb and table of a statement that changes something. */
export function sqlPlace(sql: string): string | null {
  if (/^\s*(create|alter|drop)\b/i.test(sql)) return 'schema';
  const match = CHANGE.exec(sql);
  return match === null ? null : `${match[1]?.toLowerCase()} ${match[2]}`;
}

const withoutIds = (text: string): string => text.replaceAll(/[0-9a-f]{12,}/g, '#').replaceAll(/\d+/g, '0');

/** Parts of a world by the names that `world.ts` gives them, and folders whose files are of one kind. */
const PARTS: readonly (readonly [RegExp, string])[] = [
  [/^home[- ][^/]+/, 'home'],
  [/^(?:server(?:-again)*|another server [^/]+)/, 'data'],
  [/^restored-\d+.*/s, 'restored'],
  [/^tree-.*/s, 'tree'],
  [/\/\.keystore\.[0-9a-f]+\.tmp\/.*/, '/new keystore'],
  [/\/store\/tmp\/.*/, '/store/tmp/#'],
  [/\/packs\/..(?=\/|$)/, '/packs/#'],
];

function pathPlace(path: string): string | null {
  if (path.startsWith('/proc/')) return 'restored'; // through the descriptor of its folder
  const [, below] = /\/holdfast-torture-[^/]+\/(.+)$/s.exec(path) ?? [];
  if (below === undefined) return null;
  return withoutIds(PARTS.reduce((name, [pattern, part]) => name.replace(pattern, part), below));
}
