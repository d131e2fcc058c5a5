// One archive over a BlobStore: its index, and the rules by which packs and snapshots are taken in (endpoint.ts). Sessions
// and the endpoint are thin covers of it.
//
//   open:        for each pack, some at a time: table -> rows of the index
//   store pack:  verify -> look up each link of each tree -> put -> rows
//   report lost: mark the rows -> find the trees that reach them; both stop being present until stored again
//
// Nothing is ever collected here, so the epoch is 0 and a session needs no protection. Other programs may add to the same store
// meanwhile: what they add is known at the next opening.

import { ArchiveError, invalid } from '../../errors.ts';
import { decodeEntry } from '../../format/entry.ts';
import { equalBytes, ID_LENGTH, toHex } from '../../format/ids.ts';
import { hasLinks, KIND } from '../../format/kinds.ts';
import type { PackedFrame } from '../../format/pack.ts';
import { decodeEnvelope, decodeSnapshotObject } from '../../format/snapshot.ts';
import type { BlobInfo, BlobStore } from '../../store/blob-store.ts';
import { packName, snapshotName } from '../../store/layout.ts';
import { type Location, PREFIX_LENGTH, PRESENT_LIMIT, type PresentIds } from '../endpoint.ts';
import { ChunkIndex } from './chunk-index.ts';
import { concurrently } from './concurrently.ts';
import { prefixHex, treesThatReach } from './lost-trees.ts';
import { linkedFrames, listPacks, readPack, sha256, verifyPack } from './pack-files.ts';
import { SharedLock } from './shared-lock.ts';

export type LocalEvent =
  /** `chunks` of it can still be read. */
  | { readonly kind: 'packDamaged'; readonly packId: Uint8Array; readonly chunks: number; readonly error: ArchiveError }
  | { readonly kind: 'indexed'; readonly packs: number; readonly chunks: number };

type KnownPack = BlobInfo & { readonly packId: Uint8Array; readonly hasLinks: boolean };

const PACKS_AT_A_TIME = 8;
/** At most so many ids are named in one answer. */
const MAX_MISSING = 1000;

export class LocalArchive {
  readonly archiveId: Uint8Array;
  readonly store: BlobStore;
  private readonly index = new ChunkIndex();
  private readonly packs: KnownPack[] = [];
  private readonly numbers = new Map<string, number>();
  private readonly lock = new SharedLock();
  private unreachable: ReadonlySet<string> = new Set();
  /** Marks a state of the lost marks, in cursors. */
  private marks = 0;
  private readonly instance: string;

  /** `instance` must differ between openings: it makes cursors of one useless in another. */
  constructor(store: BlobStore, archiveId: Uint8Array, instance: string) {
    this.store = store;
    this.archiveId = archiveId;
    this.instance = instance;
  }

  /** Builds the index from the packs. */
  async load(onEvent: (event: LocalEvent) => void, signal?: AbortSignal): Promise<void> {
    const listed = listPacks(this.store, this.archiveId, signal);
    const read = async (pack: BlobInfo & { packId: Uint8Array }) => ({
      pack,
      found: await readPack(this.store, this.archiveId, pack),
    });
    for await (const { pack, found } of concurrently(listed, PACKS_AT_A_TIME, read)) {
      if (found === null) continue;
      this.register(pack, found.frames);
      if (found.damage === null) continue;
      onEvent({ kind: 'packDamaged', packId: pack.packId, chunks: found.frames.length, error: found.damage });
    }
    onEvent({ kind: 'indexed', packs: this.packs.length, chunks: this.index.size });
  }

  isPresent(id: Uint8Array): boolean {
    return this.index.has(id) && (this.unreachable.size === 0 || !this.unreachable.has(prefixHex(id)));
  }

  /** A location that was reported lost is the last choice, but better than none. */
  locate(id: Uint8Array): Location | null {
    const rows = this.index.rowsOf(id);
    const number = rows.find((row) => !this.index.isLost(row)) ?? rows[0];
    if (number === undefined) return null;
    const { pack, offset, length, kind } = this.index.row(number);
    return { packId: (this.packs[pack] as KnownPack).packId, offset, length, kind };
  }

  present(cursor: string | null): PresentIds {
    const { size } = this.index;
    const state = `${this.instance}.${this.marks}.`;
    const known = cursor?.startsWith(state) ? Number(cursor.slice(state.length)) : Number.NaN;
    const full = !(known <= size);
    const from = full ? 0 : known;
    const common = { removed: new Uint8Array(0), cursor: state + size, total: size };
    if (size - from > PRESENT_LIMIT) return { ...common, full: true, prefixes: new Uint8Array(0) };
    return { ...common, full, prefixes: this.prefixesFrom(from) };
  }

  async storePack(packId: Uint8Array, bytes: Uint8Array): Promise<'stored' | 'exists'> {
    const { result, heals } = await this.lock.shared(() => this.takeIn(packId, bytes));
    if (heals) await this.lock.alone(() => this.findUnreachable());
    return result;
  }

  async storeSnapshot(object: Uint8Array): Promise<void> {
    const { id, root } = checkSnapshot(object, this.archiveId);
    await this.lock.shared(async () => {
      if (!this.isPresent(root)) throw linksMissing([root]);
      await this.putSnapshot(id, object);
    });
  }

  reportLost(ids: Iterable<Uint8Array>): Promise<void> {
    return this.lock.alone(async () => {
      const rows = [...ids].flatMap((id) => this.index.rowsOf(id));
      if (rows.length === 0) return;
      for (const row of rows) this.index.setLost(row, true);
      await this.findUnreachable();
    });
  }

  private prefixesFrom(from: number): Uint8Array {
    const prefixes = new Uint8Array((this.index.size - from) * PREFIX_LENGTH);
    let at = 0;
    for (let row = from; row < this.index.size; row++) {
      const prefix = this.index.prefix(row);
      if (this.index.isLost(row) || (this.unreachable.size > 0 && this.unreachable.has(toHex(prefix)))) continue;
      prefixes.set(prefix, at);
      at += PREFIX_LENGTH;
    }
    return prefixes.subarray(0, at);
  }

  private async takeIn(
    packId: Uint8Array,
    bytes: Uint8Array,
  ): Promise<{ readonly result: 'stored' | 'exists'; readonly heals: boolean }> {
    const frames = verifyPack(packId, bytes, this.archiveId);
    const missing = this.missingLinks(frames);
    if (missing.length > 0) throw linksMissing(missing);
    const name = packName(this.archiveId, packId);
    const exists = this.numbers.has(toHex(packId)) && (await this.isWhole(name, packId));
    if (!exists) await this.store.put(name, bytes);
    // Whoever sends a chunk again vouches for it, even by the same pack: it is acknowledged, so it must be present.
    const heals = this.marks > 0 && frames.some(({ entry }) => this.isLost(entry.id));
    this.register({ name, packId, size: bytes.length, modified: 0 }, frames);
    return { result: exists ? 'exists' : 'stored', heals };
  }

  /** A pack whose bytes do not hash to its name is damaged, never "already there" (format §7). */
  private async isWhole(name: string, packId: Uint8Array): Promise<boolean> {
    try {
      return equalBytes(sha256(await this.store.get(name)), packId);
    } catch (error) {
      if (error instanceof ArchiveError && error.code === 'blob_missing') return false;
      throw error;
    }
  }

  private missingLinks(frames: readonly PackedFrame[]): Uint8Array[] {
    if (!frames.some(({ entry }) => entry.links.length > 0)) return [];
    const earlier = new Set<string>();
    const missing = new Map<string, Uint8Array>();
    for (const { entry } of frames) {
      for (const link of idsIn(entry.links)) {
        const hex = toHex(link);
        if (missing.size < MAX_MISSING && !earlier.has(hex) && !this.isPresent(link)) missing.set(hex, link.slice());
      }
      earlier.add(toHex(entry.id));
    }
    return [...missing.values()];
  }

  private register(pack: Omit<KnownPack, 'hasLinks'>, frames: readonly PackedFrame[]): void {
    const hex = toHex(pack.packId);
    const number = this.numbers.get(hex) ?? this.packs.length;
    this.numbers.set(hex, number);
    this.packs[number] = { ...pack, hasLinks: frames.some(({ entry }) => hasLinks(entry.kind)) };
    for (const { offset, length, entry } of frames) this.index.add(entry.id, number, offset, length, entry.kind);
  }

  private async findUnreachable(): Promise<void> {
    const withLinks = this.packs.filter((pack) => pack.hasLinks);
    const frames = () => linkedFrames(this.store, this.archiveId, withLinks);
    this.unreachable = await treesThatReach((id) => this.isLost(id), frames);
    this.marks++;
  }

  /** Known, but by lost locations only. */
  private isLost(id: Uint8Array): boolean {
    const rows = this.index.rowsOf(id);
    return rows.length > 0 && rows.every((row) => this.index.isLost(row));
  }

  private async putSnapshot(id: Uint8Array, object: Uint8Array): Promise<void> {
    const name = snapshotName(this.archiveId, id);
    if ((await this.store.put(name, object, { ifAbsent: true })) === 'stored') return;
    const there = await this.store.get(name);
    if (!equalBytes(there, object) && !isSnapshot(there, id, this.archiveId)) await this.store.put(name, object);
  }
}

/** The parts of format §6.1 that can be checked without keys. */
function checkSnapshot(object: Uint8Array, archiveId: Uint8Array): { id: Uint8Array; root: Uint8Array } {
  const { envelope: bytes, description } = decodeSnapshotObject(object);
  const envelope = decodeEnvelope(bytes);
  if (!equalBytes(envelope.archiveId, archiveId)) throw new ArchiveError('wrong_archive', { record: 'snapshot' });
  if (!equalBytes(sha256(description), envelope.descriptionHash))
    throw invalid('snapshot', 'its description is not the one the envelope names');
  if (decodeEntry(description).entry.kind !== KIND.description) throw invalid('snapshot', 'its description is none');
  return { id: sha256(bytes), root: envelope.root };
}

function isSnapshot(bytes: Uint8Array, id: Uint8Array, archiveId: Uint8Array): boolean {
  try {
    return equalBytes(checkSnapshot(bytes, archiveId).id, id);
  } catch (error) {
    if (error instanceof ArchiveError) return false;
    throw error;
  }
}

const linksMissing = (ids: readonly Uint8Array[]): ArchiveError => new ArchiveError('links_missing', { ids });

export function* idsIn(ids: Uint8Array): Generator<Uint8Array> {
  for (let at = 0; at < ids.length; at += ID_LENGTH) yield ids.subarray(at, at + ID_LENGTH);
}
