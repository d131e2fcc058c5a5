// A folder, an archive in memory and backups of the one into the other, with everything around them that a test looks at.

import { createCipheriv, createPrivateKey, hash, randomFillSync, sign } from 'node:crypto';
import { mkdirSync, mkdtempSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { createArchiveCrypto } from '../../crypto-node/archive-crypto.ts';
import type { ArchiveEndpoint } from '../../endpoint/endpoint.ts';
import { openLocalEndpoint } from '../../endpoint/local/local-endpoint.ts';
import { ID_LENGTH, toHex } from '../../format/ids.ts';
import type { ArchiveKeys, CutParams } from '../../format/keys.ts';
import type { Kind } from '../../format/kinds.ts';
import { readPackTable } from '../../format/pack.ts';
import {
  type Description,
  decodeDescription,
  decodeEnvelope,
  decodeSnapshotObject,
  type Envelope,
} from '../../format/snapshot.ts';
import { generateArchiveKeys } from '../../keys/archive-keys.ts';
import { type RestoreResult, restore } from '../../restore/restore.ts';
import { folderPrefix } from '../../store/layout.ts';
import { MemoryStore } from '../../store/memory.ts';
import { type BackupEvent, type BackupOptions, type BackupResult, backup } from '../backup.ts';
import { newHash } from '../pack-filler.ts';

const OLD = new Date('2024-02-03T04:05:06.789Z');

export type Stored = { readonly id: string; readonly kind: Kind; readonly length: number; readonly firstLink: string };

export class Fixture {
  readonly dir: string = mkdtempSync(join(tmpdir(), 'holdfast-backup-'));
  /** What is backed up. */
  readonly root: string = join(this.dir, 'tree');
  readonly cacheDir: string = join(this.dir, 'cache');
  readonly store: MemoryStore = new MemoryStore();
  readonly keys: ArchiveKeys;
  readonly events: BackupEvent[] = [];
  private readonly seed: Buffer = randomFillSync(Buffer.alloc(32));
  private readonly ids = { device: randomBytes(16), set: randomBytes(16), destination: randomBytes(16) };
  time = Date.now();

  constructor(keys: ArchiveKeys = generateArchiveKeys(randomFillSync)) {
    this.keys = keys;
    mkdirSync(this.root);
  }

  remove(): void {
    rmSync(this.dir, { recursive: true, force: true });
  }

  endpoint(): Promise<ArchiveEndpoint> {
    return openLocalEndpoint({ store: this.store, archiveId: this.keys.archiveId });
  }

  /** Writes a file with a time stamp that is always the same. */
  file(path: string, content: string | Uint8Array): string {
    const full = join(this.root, path);
    mkdirSync(dirname(full), { recursive: true });
    writeFileSync(full, content);
    utimesSync(full, OLD, OLD);
    return full;
  }

  async backup(changes: Partial<BackupOptions> = {}): Promise<BackupResult> {
    this.events.length = 0;
    return backup({
      endpoint: changes.endpoint ?? (await this.endpoint()),
      keys: this.keys,
      sign: (message) => sign(null, message, privateKey(this.seed)),
      deviceId: this.ids.device,
      deviceName: 'laptop',
      setId: this.ids.set,
      setName: 'home',
      destinationId: this.ids.destination,
      agentVersion: '4.1.5',
      roots: [Buffer.from(this.root)],
      cacheDir: this.cacheDir,
      workers: 2,
      now: () => this.time++,
      source: { module: new URL('./later-source.ts', import.meta.url).href },
      onEvent: (event) => this.events.push(event),
      ...changes,
    });
  }

  ofKind<K extends BackupEvent['kind']>(kind: K): Extract<BackupEvent, { kind: K }>[] {
    return this.events.filter((event): event is Extract<BackupEvent, { kind: K }> => event.kind === kind);
  }

  /** Oldest first. */
  async snapshots(): Promise<{ envelope: Envelope; description: Description }[]> {
    const crypto = createArchiveCrypto(this.keys);
    const stored = await (await this.endpoint()).snapshots();
    const objects = stored.map(({ object }) => object).filter((object) => object !== null);
    const all = objects.map((object) => {
      const { envelope, description } = decodeSnapshotObject(object);
      return { envelope: decodeEnvelope(envelope), description: decodeDescription(crypto.open(description).plaintext) };
    });
    return all.sort((a, b) => a.envelope.sequence - b.envelope.sequence);
  }

  /** Restores the newest snapshot, or that of `sequence`, and returns the folder that `root` became. */
  async restore(
    options: { sequence?: number; includeGone?: boolean } = {},
  ): Promise<{ folder: string; result: RestoreResult }> {
    const snapshots = await this.snapshots();
    const wanted = options.sequence ?? snapshots.length;
    const { envelope } = snapshots.find((snapshot) => snapshot.envelope.sequence === wanted) as { envelope: Envelope };
    const dir = mkdtempSync(join(this.dir, 'restored-'));
    const { includeGone = false } = options;
    const endpoint = await this.endpoint();
    const result = await restore({ endpoint, keys: this.keys, root: envelope.root, target: { dir }, includeGone });
    return { folder: join(dir, this.root), result };
  }

  /** Every frame in the store, with repetitions. */
  async stored(): Promise<Stored[]> {
    const found: Stored[] = [];
    for await (const { name } of this.store.list(folderPrefix(this.keys.archiveId, 'packs'))) {
      const frames = readPackTable(await this.store.get(name), this.keys.archiveId, newHash);
      for (const { length, entry } of frames)
        found.push({
          id: toHex(entry.id),
          kind: entry.kind,
          length,
          firstLink: toHex(entry.links.subarray(0, ID_LENGTH)),
        });
    }
    return found;
  }
}

const DER_PREFIX = Buffer.from('302e020100300506032b657004220420', 'hex');
const privateKey = (seed: Buffer) =>
  createPrivateKey({ key: Buffer.concat([DER_PREFIX, seed]), format: 'der', type: 'pkcs8' });

function randomBytes(count: number): Uint8Array {
  return randomFillSync(new Uint8Array(count));
}

/** The same bytes for the same name: content that does not compress. */
export function noise(name: string, length: number): Buffer {
  const cipher = createCipheriv('aes-256-ctr', hash('sha256', name, 'buffer'), Buffer.alloc(16));
  return cipher.update(Buffer.alloc(length));
}

const TINY: CutParams = { min: 64, normal: 256, max: 1024, strictBits: 9, looseBits: 7 };

/** Keys that cut into pieces of a few hundred bytes. */
export function tinyKeys(): ArchiveKeys {
  return { ...generateArchiveKeys(randomFillSync), dataParams: TINY, bundleParams: TINY };
}
