/**
 * A cache from the last snapshot's trees, when this machine has none: nothing of it saves a reading, since times of inodes are unknown, but every small
 * file's id is known again, so that nothing is stored twice, and so are the deleted entries.
 *
 * ```
 * from the root, level by level: read the trees (and their parts and gone trees) · a record for each directory
 * from the leaves up: totals
 * ```
 * A chunk that is missing leaves out what is below it.
 */
import type { ArchiveEndpoint } from '../endpoint/endpoint.ts';
import { ArchiveError } from '../errors.ts';
import type { ArchiveCrypto } from '../format/archive-crypto.ts';
import { KIND, type Kind } from '../format/kinds.ts';
import { type DirectoryBody, decodeDirectory, ENTRY_TYPES, type TreeEntry } from '../format/tree.ts';
import { type ChunkReader, chunkOf } from '../restore/chunk-reader.ts';
import { answerOf, openFrame } from '../restore/open-frame.ts';
import { createSessionReader, type SessionReader } from '../restore/session-reader.ts';
import { joinPath, ROOT } from '../source/paths.ts';
import { pathHash, ROW_LENGTH, viewOf } from '../source/rows.ts';
import { joinDevice } from '../system/native.ts';
import type { Cache, Totals } from './cache.ts';
import { contentOf } from './content.ts';
import { addTotals, NO_TOTALS } from './node.ts';
import { type Entry, encodeRecord } from './record.ts';

const AT_ONCE = 256;
const NO_FINGERPRINT: Buffer = Buffer.alloc(16);

type Directory = {
  readonly path: Buffer;
  readonly tree: Uint8Array;
  readonly parent: Directory | null;
  totals: Totals;
};
type Found = { readonly directories: number; readonly missing: number };

export async function recoverCache(
  cache: Cache,
  root: Uint8Array,
  endpoint: Pick<ArchiveEndpoint, 'openSession'>,
  crypto: ArchiveCrypto,
  signal: AbortSignal,
): Promise<Found> {
  const reader = readerOf(endpoint, crypto);
  try {
    return await new Recovery(cache, reader, signal).run(root);
  } finally {
    await reader.close();
  }
}

function readerOf(endpoint: Pick<ArchiveEndpoint, 'openSession'>, crypto: ArchiveCrypto): SessionReader {
  return createSessionReader({
    endpoint,
    opener: {
      open: async (range, frames, deliver) => {
        for (const frame of frames) deliver(frame.chunk, answerOf({ ...openFrame(crypto, range, frame) }));
      },
    },
  });
}

class Recovery {
  private readonly cache: Cache;
  private readonly reader: ChunkReader;
  private readonly signal: AbortSignal;
  private readonly done: { directory: Directory; live: Entry[]; gone: Entry[] }[] = [];
  private missing = 0;

  constructor(cache: Cache, reader: ChunkReader, signal: AbortSignal) {
    this.cache = cache;
    this.reader = reader;
    this.signal = signal;
  }

  async run(root: Uint8Array): Promise<Found> {
    let level: Directory[] = [{ path: ROOT, tree: root, parent: null, totals: NO_TOTALS }];
    while (level.length > 0) {
      const next: Directory[] = [];
      for (let at = 0; at < level.length; at += AT_ONCE)
        next.push(...(await this.readSome(level.slice(at, at + AT_ONCE))));
      level = next;
    }
    for (const { directory, live, gone } of this.done.reverse()) this.remember(directory, live, gone);
    return { directories: this.done.length, missing: this.missing };
  }

  /** Returns the sub-directories. */
  private async readSome(directories: readonly Directory[]): Promise<Directory[]> {
    const bodies = await this.bodies(
      directories.map(({ tree }) => tree),
      KIND.tree,
    );
    const below: Directory[] = [];
    for (const [i, directory] of directories.entries()) {
      const body = bodies[i];
      if (!body) continue;
      const live = await this.entries(body);
      const [goneBody] = body.gone ? await this.bodies([body.gone], KIND.gone) : [];
      this.done.push({
        directory,
        live: live.map(entryOf),
        gone: goneBody ? (await this.entries(goneBody)).map(entryOf) : [],
      });
      for (const { name, tree } of live) {
        if (tree) below.push({ path: joinPath(directory.path, name), tree, parent: directory, totals: NO_TOTALS });
      }
    }
    return below;
  }

  private async bodies(ids: readonly Uint8Array[], kind: Kind): Promise<(DirectoryBody | null)[]> {
    const answers = await this.reader.read(ids, this.signal);
    return answers.map((answer) => {
      try {
        const chunk = chunkOf(answer, kind);
        return decodeDirectory(chunk.links, chunk.plaintext, chunk.kind);
      } catch (error) {
        if (!(error instanceof ArchiveError)) throw error;
        this.missing++;
        return null;
      }
    });
  }

  private async entries(body: DirectoryBody): Promise<readonly TreeEntry[]> {
    if (body.entries) return body.entries;
    const all: TreeEntry[] = [];
    for (const part of await this.bodies(
      (body.children ?? []).map(({ id }) => id),
      KIND.part,
    )) {
      if (part) for (const entry of await this.entries(part)) all.push(entry);
    }
    return all;
  }

  private remember(directory: Directory, live: Entry[], gone: Entry[]): void {
    for (const { row } of live) directory.totals = addTotals(directory.totals, ownTotals(row));
    if (directory.parent) directory.parent.totals = addTotals(directory.parent.totals, directory.totals);
    const deletions = gone.map(({ deleted }) => deleted);
    const state = {
      fingerprint: NO_FINGERPRINT,
      tree: directory.tree,
      totals: directory.totals,
      oldestGone: deletions.length === 0 ? 0 : Math.min(...deletions),
    };
    for (const { content } of [...live, ...gone]) {
      for (const { id, offset, length } of content.fileId ? (content.segments ?? []) : []) {
        this.cache.setBundle(id, Math.max(offset + length, this.cache.bundleLength(id) ?? 0));
      }
    }
    this.cache.put(pathHash(directory.path), state, encodeRecord(directory.path, live, gone));
  }
}

function ownTotals(row: Buffer): Totals {
  if (row[0] === 0) return { ...NO_TOTALS, files: 1, bytes: row.readDoubleLE(32) };
  return row[0] === 1 ? { ...NO_TOTALS, directories: 1 } : { ...NO_TOTALS, others: 1 };
}

/** Inode and ctime are unknown: the row equals no row that a walk finds. */
function entryOf(entry: TreeEntry): Entry {
  const row = Buffer.alloc(ROW_LENGTH);
  const view = viewOf(row);
  view.setUint8(0, ENTRY_TYPES.indexOf(entry.type));
  view.setUint32(8, entry.mode, true);
  view.setUint32(12, entry.uid, true);
  view.setUint32(16, entry.gid, true);
  view.setUint32(20, entry.mtime.nsec, true);
  view.setFloat64(24, entry.mtime.sec, true);
  view.setFloat64(32, entry.size ?? 0, true);
  if (entry.device) view.setBigUint64(64, BigInt(joinDevice(entry.device) ?? 0), true);
  const { group = 0, deleted = 0 } = entry;
  return { name: Buffer.from(entry.name), row, content: contentOf(entry), group, again: true, deleted };
}
