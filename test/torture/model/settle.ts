/** The end of a run: maintenance has all the time it needs, and nobody else is there. */
import { createHash } from 'node:crypto';
import { toHex } from '@holdfast/archive/format/ids.ts';
import { readPackTable } from '@holdfast/archive/format/pack.ts';
import { folderPrefix } from '@holdfast/archive/store/layout.ts';
import { COMPACT_DEAD_SHARE } from '../../../packages/server/src/storage/limits.ts';
import type { JobName } from '../../../packages/server/src/storage/maintenance/events.ts';
import { Broken } from './broken.ts';
import type { Reference } from './reference.ts';
import type { Site } from './site.ts';

const HOUR = 3_600_000;
/** Longer than any clock of the model is off, so that no row is of the future. */
const LONG = 5 * 24 * HOUR;

/** After a pause of `LONG` nothing is recent; packs that compaction replaced go a day later. */
const JOBS: readonly JobName[] = ['reconcile', 'retention', 'collect', 'collect', 'compact', 'collect', 'verify'];

export async function settle(
  site: Site,
  reference: Reference,
  pass: (ms: number) => void,
  run: (job: JobName) => Promise<void>,
): Promise<{ readonly live: number; readonly stored: number; readonly packs: number }> {
  for (const job of JOBS) {
    pass(LONG);
    await run(job);
  }
  const reached = reference.reached();
  await requireNoRows(site, reached);
  const sizes = { live: 0, stored: 0, packs: 0 };
  for await (const { name } of site.point.blobs.list(folderPrefix(site.archive.id, 'packs'))) {
    const table = readPackTable(await site.point.blobs.get(name), site.archive.id, () => createHash('sha256'));
    sizes.packs += 1;
    for (const { entry, length } of table) {
      sizes.stored += length;
      if (reached.has(toHex(entry.id))) sizes.live += length;
    }
  }
  if (sizes.live < sizes.stored * (1 - COMPACT_DEAD_SHARE))
    throw new Broken(`of ${sizes.stored} stored bytes only ${sizes.live} are needed`);
  return sizes;
}

/** What no snapshot reaches has no location any more. */
async function requireNoRows({ point, archive }: Site, reached: ReadonlySet<string>): Promise<void> {
  const prefixes = new Set([...reached].map((id) => id.slice(0, 32)));
  const rows = await point.index.read((on) =>
    on.db.selectFrom('chunks').select('prefix').where('archive', '=', archive.number).execute(),
  );
  const dead = rows.filter(({ prefix }) => !prefixes.has(toHex(prefix)));
  if (dead.length > 0) throw new Broken(`${dead.length} locations are left that nobody needs`);
}
