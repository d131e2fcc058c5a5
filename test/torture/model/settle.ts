/** The end of a run: maintenance has all the time it needs, and nobody else is there. */
import { createHash } from 'node:crypto';
import { toHex } from '@holdfast/archive/format/ids.ts';
import { readPackTable } from '@holdfast/archive/format/pack.ts';
import { folderPrefix, parseName } from '@holdfast/archive/store/layout.ts';
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
    const { live, stored } = await sizesOf(site, name, reached);
    // Compaction leaves a pack alone of which so much is needed, and there is nothing else in the store.
    if (live < stored * (1 - COMPACT_DEAD_SHARE))
      throw new Broken(`of ${stored} bytes in ${name} only ${live} are needed`);
    sizes.packs += 1;
    sizes.stored += stored;
    sizes.live += live;
  }
  return sizes;
}

/** Bytes of a pack's frames, and of those that a row leads to and a snapshot reaches. */
async function sizesOf({ point, archive }: Site, name: string, reached: ReadonlySet<string>) {
  const table = readPackTable(await point.blobs.get(name), archive.id, () => createHash('sha256'));
  const places = await placesIn(point, archive, name);
  const sizes = { live: 0, stored: 0 };
  for (const { entry, offset, length } of table) {
    sizes.stored += length;
    if (reached.has(toHex(entry.id)) && places.has(offset)) sizes.live += length;
  }
  return sizes;
}

/** Offsets in a pack that the index leads to. */
async function placesIn({ index }: Site['point'], { number }: Site['archive'], name: string): Promise<Set<number>> {
  const object = parseName(name);
  if (object?.kind !== 'pack') return new Set();
  const rows = await index.read((on) =>
    on.db
      .selectFrom('chunks')
      .innerJoin('packs', (join) =>
        join.onRef('packs.archive', '=', 'chunks.archive').onRef('packs.number', '=', 'chunks.pack'),
      )
      .select('chunks.offset')
      .where('packs.archive', '=', number)
      .where('packs.id', '=', object.id)
      .execute(),
  );
  return new Set(rows.map(({ offset }) => offset));
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
