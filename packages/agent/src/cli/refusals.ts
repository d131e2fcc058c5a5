import { type DamagedFile, describeDamage } from '../archive/damaged-file.ts';
import type { OpenedArchive } from '../archive/opened-archive.ts';
import type { RefusedSnapshot } from '../archive/snapshots.ts';
import { AgentError } from '../errors.ts';
import type { Context } from './context.ts';
import { EXIT, type ExitCode } from './exit-codes.ts';

/**
 * What cannot be read of an archive, told to people and to programs. Two causes look alike and want different things done: a file is *damaged*,
 * or it is whole and the key is *outdated*, one that was exported before the keys were renewed.
 */
type Damaged = Pick<OpenedArchive, 'damaged'>;

/** With a key file damaged or gone it is that which is missing, not a newer export. */
export const isOutdated = ({ damaged }: Damaged, { code }: Pick<RefusedSnapshot, 'code'>): boolean =>
  code === 'generation_unknown' && damaged.length === 0;

/** So many are named; --json has all. */
const SHOWN = 10;

export function tellRefusals({ out }: Context, archive: Damaged, refused: readonly RefusedSnapshot[]): void {
  const outdated = refused.filter((each) => isOutdated(archive, each)).length;
  const damaged = damagedFiles(archive, refused);
  for (const each of damaged.slice(0, SHOWN)) out.note(`Damaged: ${describeDamage(each)}.`);
  if (damaged.length > SHOWN) out.note(`And ${damaged.length - SHOWN} more; --json lists them.`);
  tellOutdated(out, outdated);
}

export function tellOutdated(out: Context['out'], snapshots: number): void {
  if (snapshots === 0) return;
  out.note(`${snapshots} snapshots are sealed with newer keys. ${new AgentError('key_outdated').message}`);
}

/** The fields of a document. */
export const refusalFields = (archive: Damaged, refused: readonly RefusedSnapshot[]) => ({
  damagedFiles: damagedFiles(archive, refused).map(({ file, code, reason }) => ({ file, code, reason })),
  outdatedFor: refused.filter((each) => isOutdated(archive, each)).map(({ id }) => id),
});

const damagedFiles = (archive: Damaged, refused: readonly RefusedSnapshot[]): DamagedFile[] => [
  ...archive.damaged,
  ...refused.filter((each) => !isOutdated(archive, each)),
];

/** What a command ends with that had to do without them. */
export function exitWithout(archive: Damaged, refused: readonly RefusedSnapshot[]): ExitCode {
  if (refused.length === 0) return EXIT.ok;
  return refused.every((each) => isOutdated(archive, each)) ? EXIT.keyNeeded : EXIT.damaged;
}

/** Nothing whole fits; one of these may be what was meant. */
export function refusalError(archive: Damaged, missed: readonly [RefusedSnapshot, ...RefusedSnapshot[]], cause: Error) {
  const data = refusalFields(archive, missed);
  if (missed.every((each) => isOutdated(archive, each))) return new AgentError('key_outdated', { data, cause });
  return new AgentError('snapshot_damaged', { what: describeDamage(missed[0]), data, cause });
}
