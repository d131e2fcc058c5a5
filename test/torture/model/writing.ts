/**
 * A small backup, one request after the other, so that anything may happen between two of them. It follows the same rules as the engine
 * and uses the same formats: a directory that is as it was is asked for by its own id alone; of any other one all chunks are asked for and
 * what lacks is stored, children first; then the root and the snapshot.
 */
import { createHash, hash } from 'node:crypto';
import { findParent } from '@holdfast/archive/backup/chain.ts';
import type { ArchiveCrypto } from '@holdfast/archive/crypto-node/archive-crypto.ts';
import type { ArchiveEndpoint, ArchiveSession, StoredSnapshot } from '@holdfast/archive/endpoint/endpoint.ts';
import { ArchiveError } from '@holdfast/archive/errors.ts';
import { compareBytes, toHex } from '@holdfast/archive/format/ids.ts';
import type { ArchiveKeys } from '@holdfast/archive/format/keys.ts';
import { KIND, type Kind } from '@holdfast/archive/format/kinds.ts';
import { PackWriter } from '@holdfast/archive/format/pack.ts';
import { encodeDirectory, type TreeEntry } from '@holdfast/archive/format/tree.ts';
import { type SealedSnapshot, type SignMessage, sealSnapshot } from '@holdfast/archive/keys/snapshot.ts';
import { bytesOf, signature, type Tree, topsOf } from './tree.ts';

export type WriterOptions = {
  readonly keys: ArchiveKeys;
  readonly crypto: ArchiveCrypto;
  readonly sign: SignMessage;
  readonly deviceId: Uint8Array;
  readonly setId: Uint8Array;
  readonly destinationId: Uint8Array;
  readonly now: () => number;
};

type Chunk = {
  readonly kind: Kind;
  readonly id: Uint8Array;
  readonly plaintext: Uint8Array;
  readonly links?: Uint8Array;
};
export type WriterState = {
  /** By directory; of the last acknowledged snapshot. */
  readonly cache: ReadonlyMap<string, Cached>;
  /** That snapshot's object. */
  readonly acknowledged: Uint8Array | null;
};
type Cached = { readonly signature: string; readonly id: Uint8Array };

const ATTRIBUTES = { uid: 0, gid: 0, mtime: { sec: 1_700_000_000, nsec: 0 } };
/** More than what is stored at once takes. */
const PACK_SIZE = 16_384;
/** A session that ends costs a new one and the questions again, so often. */
const SESSIONS = 4;

export class Writer {
  private readonly options: WriterOptions;
  /** What its device keeps on its disk. */
  state: WriterState = { cache: new Map(), acknowledged: null };
  /** Snapshots that were made and that no answer has come for: what became of them shows later. */
  private readonly unanswered = new Set<string>();

  constructor(options: WriterOptions) {
    this.options = options;
  }

  /** `stored`: what the endpoint lists at the beginning. Returns the snapshot's id. */
  async backUp(endpoint: ArchiveEndpoint, stored: readonly StoredSnapshot[], tree: Tree): Promise<Uint8Array> {
    const parent = await this.parentAmong(stored);
    let sealed: SealedSnapshot | null = null;
    for (let left = SESSIONS; ; left--) {
      try {
        const session = await endpoint.openSession('backup');
        const made = new Map<string, Cached>();
        for (const top of topsOf(tree))
          made.set(top, { signature: signature(tree, top), id: await this.store(session, tree, top) });
        const root = this.directory([...made].map(([name, { id }]) => directoryEntry(name, id)));
        await this.storeMissing(session, [root]);
        // The same one again after a session that ended: the storage may have taken it.
        sealed ??= await this.seal(root.id, parent);
        this.unanswered.add(toHex(sealed.id));
        await session.commit(sealed.object);
        this.unanswered.delete(toHex(sealed.id));
        this.state = { cache: made, acknowledged: sealed.object };
        return sealed.id;
      } catch (error) {
        if (left === 1 || !(error instanceof ArchiveError) || error.code !== 'session_ended') throw error;
      }
    }
  }

  private parentAmong(stored: readonly StoredSnapshot[]) {
    return findParent({
      ...this.options,
      archiveId: this.options.keys.archiveId,
      stored,
      cached: this.state.acknowledged,
      onProblem: (problem, id) => {
        // One that its device did not hear of may come in after the next was begun
        if (problem === 'fork' && stored.some((one) => this.unanswered.has(toHex(one.id)))) return;
        throw new Error(`the chain has a problem: ${problem} ${toHex(id).slice(0, 8)}`);
      },
    });
  }

  private async store(session: ArchiveSession, tree: Tree, top: string): Promise<Uint8Array> {
    const cached = this.state.cache.get(top);
    if (cached?.signature === signature(tree, top) && (await session.ask(cached.id))[0] === 1) return cached.id;
    const chunks: Chunk[] = [];
    const { id } = this.build(tree, top, chunks);
    await this.storeMissing(session, chunks);
    return id;
  }

  private async storeMissing(session: ArchiveSession, chunks: readonly Chunk[]): Promise<void> {
    const unique = [...new Map(chunks.map((chunk) => [toHex(chunk.id), chunk])).values()];
    const there = await session.ask(Buffer.concat(unique.map(({ id }) => id)));
    const missing = unique.filter((_, i) => there[i] === 0);
    if (missing.length === 0) return;
    const { keys, crypto } = this.options;
    const writer = new PackWriter(keys.archiveId, () => createHash('sha256'), PACK_SIZE);
    for (const { kind, id, plaintext, links } of missing) writer.add(crypto.seal(kind, id, plaintext, links));
    const bytes = writer.finish().slice();
    await session.putPack(hash('sha256', bytes, 'buffer'), bytes);
  }

  /** Adds the chunks of the directory at `path`, children first. */
  private build(tree: Tree, path: string, chunks: Chunk[]): Chunk {
    const inside = [...tree].filter(([at]) => at.startsWith(`${path}/`));
    const names = [...new Set(inside.map(([at]) => at.slice(path.length + 1).split('/')[0] as string))].sort();
    const entries = names.map((name): TreeEntry => {
      const content = tree.get(`${path}/${name}`);
      if (content === undefined) return directoryEntry(name, this.build(tree, `${path}/${name}`, chunks).id);
      const plaintext = bytesOf(content);
      const id = this.options.crypto.chunkId(KIND.data, plaintext).slice();
      chunks.push({ kind: KIND.data, id, plaintext });
      return fileEntry(name, id, plaintext);
    });
    const directory = this.directory(entries);
    chunks.push(directory);
    return directory;
  }

  private directory(entries: TreeEntry[]): Chunk {
    const { links, body } = encodeDirectory({ entries: entries.sort((a, b) => compareBytes(a.name, b.name)) });
    const id = this.options.crypto.chunkId(KIND.tree, body, links).slice();
    return { kind: KIND.tree, id, plaintext: body, links };
  }

  private seal(root: Uint8Array, parent: Awaited<ReturnType<typeof findParent>>): Promise<SealedSnapshot> {
    const { keys, deviceId, setId, destinationId, crypto, sign, now } = this.options;
    const envelope = {
      archiveId: keys.archiveId,
      deviceId,
      setId,
      destinationId,
      sequence: (parent?.envelope.sequence ?? 0) + 1,
      deviceTime: now(),
      root,
      parent: parent?.id ?? null,
      partial: false,
    };
    return sealSnapshot(envelope, { ...DESCRIPTION, started: now() }, crypto, sign);
  }
}

const DESCRIPTION = {
  deviceName: 'model',
  setName: 'small',
  paths: [Buffer.from('/')],
  counts: { files: 12, directories: 10, others: 0, bytes: 1 },
  agentVersion: '4.1.5',
  skipped: [],
  skippedCount: 0,
  os: 'model',
};

const directoryEntry = (name: string, tree: Uint8Array): TreeEntry => ({
  ...ATTRIBUTES,
  name: Buffer.from(name),
  type: 'directory',
  mode: 0o755,
  tree,
});

const fileEntry = (name: string, id: Uint8Array, content: Uint8Array): TreeEntry => ({
  ...ATTRIBUTES,
  name: Buffer.from(name),
  type: 'file',
  mode: 0o644,
  size: content.length,
  segments: [{ id, offset: 0, length: content.length }],
});
