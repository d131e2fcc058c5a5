/**
 * The reference: which snapshots there are, what tree each holds, and which chunks each reaches. It is told what devices send and were
 * told, and looks at the storage role to compare.
 *
 * - A snapshot that was acknowledged stays until a plan of retention names it.
 * - One that was offered and whose answer was lost may have come in; then it counts like the others.
 * - Everything that a snapshot reaches has a location, in a pack that is there and opens to what its id says.
 */
import { createHash } from 'node:crypto';
import { toHex } from '@holdfast/archive/format/ids.ts';
import { readPackTable } from '@holdfast/archive/format/pack.ts';
import { decodeEnvelope, decodeSnapshotObject, type Envelope } from '@holdfast/archive/format/snapshot.ts';
import { packName } from '@holdfast/archive/store/layout.ts';
import { committedSnapshots } from '../../../packages/server/src/storage/index/snapshots.ts';
import { PACK_STATE } from '../../../packages/server/src/storage/index/tables.ts';
import { Broken } from './broken.ts';
import type { RetentionRecord } from './retention-record.ts';
import type { Site } from './site.ts';
import type { Tree } from './tree.ts';

export type Kept = { readonly id: string; readonly envelope: Envelope; readonly tree: Tree; received: number };

const sha256 = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');
const short = (id: string): string => id.slice(0, 8);

export class Reference {
  readonly kept = new Map<string, Kept>();
  /** All that were ever sent, with what they hold. */
  private readonly offered = new Map<string, Kept>();
  private readonly links = new Map<string, readonly string[]>();
  /** Places of frames that were opened: objects never change. */
  private readonly proven = new Set<string>();
  private readonly site: Site;
  private readonly retention: RetentionRecord;

  constructor(site: Site, retention: RetentionRecord) {
    this.site = site;
    this.retention = retention;
  }

  packSent(bytes: Uint8Array): void {
    for (const { entry } of readPackTable(bytes, this.site.keys.archiveId, () => createHash('sha256'))) {
      const links = Array.from({ length: entry.links.length / 32 }, (_, i) =>
        toHex(entry.links.subarray(i * 32, i * 32 + 32)),
      );
      this.links.set(toHex(entry.id), links);
    }
  }

  snapshotSent(object: Uint8Array, tree: Tree): void {
    const { envelope } = decodeSnapshotObject(object);
    const id = sha256(envelope);
    this.offered.set(id, { id, envelope: decodeEnvelope(envelope), tree, received: 0 });
  }

  /** The device was told that it is stored. */
  acknowledged(id: Uint8Array): void {
    this.take(toHex(id));
  }

  newest(): Kept | undefined {
    return [...this.kept.values()].at(-1);
  }

  /** Compares the snapshots with those of the index. Returns what changed, in words. */
  async compareSnapshots(): Promise<string[]> {
    const { point, archive } = this.site;
    const rows = await point.index.read((on) => committedSnapshots(on, archive.number));
    const told: string[] = [];
    for (const row of rows) {
      const id = toHex(row.id);
      if (!this.kept.has(id)) told.push(`+${short(id)}`);
      this.take(id).received = row.received;
    }
    if (rows.length === this.kept.size) return told;
    const there = new Set(rows.map(({ id }) => toHex(id)));
    for (const id of this.kept.keys()) {
      if (there.has(id)) continue;
      if (!(await this.retention.allows(id))) throw new Broken(`snapshot ${short(id)} is gone, and no plan said so`);
      this.kept.delete(id);
      told.push(`-${short(id)}`);
    }
    return told;
  }

  private take(id: string): Kept {
    const known = this.kept.get(id) ?? this.offered.get(id);
    if (known === undefined) throw new Broken(`snapshot ${short(id)} was never sent`);
    this.kept.set(id, known);
    return known;
  }

  /** Everything that the snapshots reach can be read. */
  async requireReadable(): Promise<void> {
    const places = await this.places();
    const read = new Set<string>();
    for (const { id, envelope } of this.kept.values())
      for (const open = [toHex(envelope.root)]; open.length > 0; ) {
        const next = open.pop() as string;
        if (read.has(next)) continue;
        read.add(next);
        if (!(await this.opens(next, places.get(next.slice(0, 32)) ?? [])))
          throw new Broken(`snapshot ${short(id)} lacks chunk ${short(next)}`);
        open.push(...(this.links.get(next) ?? []));
      }
  }

  /** Ids that some snapshot reaches. */
  reached(): Set<string> {
    const reached = new Set<string>();
    for (const open = [...this.kept.values()].map(({ envelope }) => toHex(envelope.root)); open.length > 0; ) {
      const next = open.pop() as string;
      if (reached.has(next)) continue;
      reached.add(next);
      open.push(...(this.links.get(next) ?? []));
    }
    return reached;
  }

  /** By prefix: where the index leads whoever asks for it, as long as the object is there. */
  private async places(): Promise<Map<string, Place[]>> {
    const { point, archive } = this.site;
    const rows: Place[] = await point.index.read((on) =>
      on.db
        .selectFrom('chunks')
        .innerJoin('packs', (join) =>
          join.onRef('packs.archive', '=', 'chunks.archive').onRef('packs.number', '=', 'chunks.pack'),
        )
        .select(['chunks.prefix', 'chunks.offset', 'chunks.length', 'packs.id'])
        .where('chunks.archive', '=', archive.number)
        .where('packs.state', 'in', [PACK_STATE.live, PACK_STATE.retired])
        .execute(),
    );
    return Map.groupBy(rows, ({ prefix }) => toHex(prefix)) as Map<string, Place[]>;
  }

  private async opens(id: string, places: readonly Place[]): Promise<boolean> {
    for (const place of places) if (await this.opensAt(id, place)) return true;
    return false;
  }

  private async opensAt(id: string, { id: pack, offset, length }: Place): Promise<boolean> {
    const { point, archive, crypto } = this.site;
    const name = packName(archive.id, pack);
    if ((await point.blobs.stat(name)) === null) return false;
    const place = `${name}/${offset}/${id}`;
    if (this.proven.has(place)) return true;
    crypto.open(await point.blobs.get(name, { offset, length }), { id: Uint8Array.fromHex(id) });
    this.proven.add(place);
    return true;
  }
}

type Place = {
  readonly prefix: Uint8Array;
  readonly offset: number;
  readonly length: number;
  readonly id: Uint8Array;
};
