// A small archive made by hand, for tests of endpoints and of what reads them: real keys, real chunks, real packs.
//
//   const a = await makeArchiveFixture();
//   const root = a.tree({ 'a.txt': a.bundle('hello'), sub: a.tree({ b: a.data('x') }) });
//   a.pack(...a.below(root))                      all its chunks, children first
//   await a.snapshot(root)

import { createHash, hash, randomFillSync } from 'node:crypto';
import { type ArchiveCrypto, createArchiveCrypto } from '../../crypto-node/archive-crypto.ts';
import { ascii, concatBytes } from '../../format/bytes.ts';
import type { DeviceList } from '../../format/device-list.ts';
import { compareBytes, toHex } from '../../format/ids.ts';
import type { ArchiveKeys } from '../../format/keys.ts';
import { KIND, type Kind } from '../../format/kinds.ts';
import { encodeList } from '../../format/list.ts';
import { PackWriter } from '../../format/pack.ts';
import type { Description, Envelope } from '../../format/snapshot.ts';
import { LABEL } from '../../format/statement.ts';
import { encodeDirectory, SMALL_FILE, type TreeEntry } from '../../format/tree.ts';
import { generateArchiveKeys } from '../../keys/archive-keys.ts';
import { type SigningKey, sign, signingKey } from '../../keys/signing.ts';
import { type SealedSnapshot, sealSnapshot } from '../../keys/snapshot.ts';

export type FixtureChunk = {
  readonly kind: Kind;
  readonly id: Uint8Array;
  readonly frame: Uint8Array;
  /** Length of the plaintext or body. */
  readonly length: number;
  /** What it links. */
  readonly children: readonly FixtureChunk[];
};

export type FixturePack = { readonly id: Uint8Array; readonly bytes: Uint8Array };

export const sha256 = (bytes: Uint8Array): Uint8Array => plain(hash('sha256', bytes, 'buffer'));
/** Not a Buffer, which tests would take for something else. */
const plain = (bytes: Uint8Array): Uint8Array => new Uint8Array(bytes);
const newHash = () => createHash('sha256');

const DESCRIPTION: Description = {
  deviceName: 'laptop',
  setName: 'home',
  paths: [ascii('/home')],
  counts: { files: 1, directories: 1, others: 0, bytes: 1 },
  agentVersion: '4.1.5',
  started: 1_700_000_000_000,
  skipped: [],
  skippedCount: 0,
  os: 'linux',
};

export class ArchiveFixture {
  readonly keys: ArchiveKeys;
  readonly crypto: ArchiveCrypto;
  readonly deviceId: Uint8Array = randomFillSync(new Uint8Array(16));
  readonly setId: Uint8Array = randomFillSync(new Uint8Array(16));
  readonly destinationId: Uint8Array = randomFillSync(new Uint8Array(16));
  readonly deviceKey: SigningKey;

  constructor(keys: ArchiveKeys, deviceKey: SigningKey) {
    this.keys = keys;
    this.crypto = createArchiveCrypto(keys);
    this.deviceKey = deviceKey;
  }

  get archiveId(): Uint8Array {
    return this.keys.archiveId;
  }

  /** The list that makes this archive's snapshots trusted. */
  get devices(): DeviceList {
    const { deviceId, deviceKey, archiveId } = this;
    const device = {
      deviceId,
      publicKey: deviceKey.publicKey,
      recipient: 'age1pq1',
      name: 'laptop',
      added: 0,
      removed: null,
    };
    return { archiveId, counter: 1, devices: [device] };
  }

  data(content: string | Uint8Array): FixtureChunk {
    return this.seal(KIND.data, bytesOf(content));
  }

  bundle(content: string | Uint8Array): FixtureChunk {
    return this.seal(KIND.bundle, bytesOf(content));
  }

  /** A directory whose files each are one chunk or one list. */
  tree(content: Readonly<Record<string, FixtureChunk>>, gone?: FixtureChunk): FixtureChunk {
    const entries = this.entries(content);
    const children = [...Object.values(content), ...(gone === undefined ? [] : [gone])];
    return this.linked(
      KIND.tree,
      encodeDirectory({ entries, ...(gone === undefined ? {} : { gone: gone.id }) }),
      children,
    );
  }

  /** Deleted entries. */
  gone(content: Readonly<Record<string, FixtureChunk>>): FixtureChunk {
    const entries = this.entries(content).map((entry) => ({ ...entry, deleted: 1 }));
    return this.linked(KIND.gone, encodeDirectory({ entries }), Object.values(content));
  }

  /** A directory in parts, each given by its content. */
  indexed(...parts: readonly Readonly<Record<string, FixtureChunk>>[]): FixtureChunk {
    const children = parts.map((content) => {
      const entries = this.entries(content);
      return {
        first: entries[0]?.name as Uint8Array,
        chunk: this.linked(KIND.part, encodeDirectory({ entries }), Object.values(content)),
      };
    });
    const body = encodeDirectory({ children: children.map(({ first, chunk }) => ({ first, id: chunk.id })) });
    return this.linked(
      KIND.tree,
      body,
      children.map(({ chunk }) => chunk),
    );
  }

  /** The segments of one file, each a whole chunk. */
  list(...chunks: readonly FixtureChunk[]): FixtureChunk {
    const segments = chunks.map(({ id, length }) => ({ id, offset: 0, length }));
    return this.linked(KIND.list, encodeList({ segments }), chunks);
  }

  /** A chunk and all below it, children first, each once. */
  below(...roots: readonly FixtureChunk[]): FixtureChunk[] {
    const found = new Map<string, FixtureChunk>();
    const visit = (chunk: FixtureChunk): void => {
      if (found.has(toHex(chunk.id))) return;
      for (const child of chunk.children) visit(child);
      found.set(toHex(chunk.id), chunk);
    };
    for (const root of roots) visit(root);
    return [...found.values()];
  }

  pack(...chunks: readonly FixtureChunk[]): FixturePack {
    const writer = new PackWriter(this.archiveId, newHash);
    for (const { frame } of chunks) writer.add(frame);
    const bytes = writer.finish();
    return { id: sha256(bytes), bytes };
  }

  snapshot(root: FixtureChunk, fields: Partial<Envelope> = {}): Promise<SealedSnapshot> {
    const { archiveId, deviceId, setId, destinationId } = this;
    const ids = { archiveId, deviceId, setId, destinationId, root: root.id };
    const envelope = { ...ids, sequence: 1, deviceTime: 1_700_000_000_000, parent: null, partial: false, ...fields };
    return sealSnapshot(envelope, DESCRIPTION, this.crypto, (message) => this.signMessage(message));
  }

  /** A chunk of any kind with any content, right or wrong. */
  seal(kind: Kind, plaintext: Uint8Array, links?: Uint8Array, children: readonly FixtureChunk[] = []): FixtureChunk {
    const id = plain(this.crypto.chunkId(kind, plaintext, links));
    const frame = plain(this.crypto.seal(kind, id, plaintext, links));
    return { kind, id, frame, length: plaintext.length, children };
  }

  private linked(
    kind: Kind,
    encoded: { links: Uint8Array; body: Uint8Array },
    children: readonly FixtureChunk[],
  ): FixtureChunk {
    return this.seal(kind, encoded.body, encoded.links, children);
  }

  private entries(content: Readonly<Record<string, FixtureChunk>>): TreeEntry[] {
    const entries = Object.entries(content).map(([name, chunk]) => this.entry(name, chunk));
    return entries.sort((a, b) => compareBytes(a.name, b.name));
  }

  private entry(name: string, chunk: FixtureChunk): TreeEntry {
    const common = { name: bytesOf(name), mode: 0o644, uid: 1000, gid: 1000, mtime: { sec: 1_700_000_000, nsec: 1 } };
    if (chunk.kind === KIND.tree) return { ...common, type: 'directory', tree: chunk.id };
    const file = { ...common, type: 'file' } as const;
    if (chunk.kind === KIND.list) return { ...file, size: lengthOf(chunk.children), list: chunk.id };
    const segments = [{ id: chunk.id, offset: 0, length: chunk.length }];
    const fileId = chunk.length < SMALL_FILE ? { fileId: chunk.id.subarray(0, 16) } : {};
    return { ...file, size: chunk.length, segments, ...fileId };
  }

  private signMessage(message: Uint8Array): Promise<Uint8Array> {
    return sign(this.deviceKey, LABEL.snapshot, message.subarray(LABEL.snapshot.length));
  }
}

export async function makeArchiveFixture(): Promise<ArchiveFixture> {
  const keys = generateArchiveKeys((target) => randomFillSync(target));
  return new ArchiveFixture(keys, await signingKey(randomFillSync(new Uint8Array(32))));
}

export const idsOf = (...chunks: readonly FixtureChunk[]): Uint8Array => concatBytes(...chunks.map(({ id }) => id));

const bytesOf = (content: string | Uint8Array): Uint8Array =>
  typeof content === 'string' ? new TextEncoder().encode(content) : content;
const lengthOf = (chunks: readonly FixtureChunk[]): number => chunks.reduce((sum, { length }) => sum + length, 0);
