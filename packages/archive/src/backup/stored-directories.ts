/**
 * Directories as the destination holds them, for a run that has no record of them: parts and gone trees are read with them. A chunk that is missing leaves out
 * what is below it.
 */
import type { ArchiveEndpoint } from '../endpoint/endpoint.ts';
import { ArchiveError } from '../errors.ts';
import type { ArchiveCrypto } from '../format/archive-crypto.ts';
import { KIND, type Kind } from '../format/kinds.ts';
import { type DirectoryBody, decodeDirectory, ENTRY_TYPES, type TreeEntry } from '../format/tree.ts';
import { chunkOf } from '../restore/chunk-reader.ts';
import { answerOf, openFrame } from '../restore/open-frame.ts';
import { createSessionReader, type SessionReader } from '../restore/session-reader.ts';
import { ROW_LENGTH, viewOf } from '../source/rows.ts';
import { joinDevice } from '../system/native.ts';
import { contentOf } from './content.ts';
import type { Entry } from './record.ts';

/** Trees in one question. */
export const AT_ONCE = 256;

export type StoredDirectory = { readonly live: Entry[]; readonly gone: Entry[] };

export class StoredDirectories {
  private readonly reader: SessionReader;
  private readonly signal: AbortSignal;
  /** Chunks that could not be had. */
  missing = 0;

  constructor(endpoint: Pick<ArchiveEndpoint, 'openSession'>, crypto: ArchiveCrypto, signal: AbortSignal) {
    this.reader = readerOf(endpoint, crypto);
    this.signal = signal;
  }

  /** In the order of the question; `null` for one whose tree could not be had. */
  async read(trees: readonly Uint8Array[]): Promise<(StoredDirectory | null)[]> {
    const found: (StoredDirectory | null)[] = [];
    for (const body of await this.bodies(trees, KIND.tree)) found.push(body && (await this.directory(body)));
    return found;
  }

  close(): Promise<void> {
    return this.reader.close();
  }

  private async directory(body: DirectoryBody): Promise<StoredDirectory> {
    const live = await this.entries(body);
    const [goneBody] = body.gone ? await this.bodies([body.gone], KIND.gone) : [];
    const gone = goneBody ? await this.entries(goneBody) : [];
    return { live: live.map(entryOf), gone: gone.map(entryOf) };
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
