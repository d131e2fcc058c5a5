/**
 * The engine on a disk store, without server or agent, as a process of its own so that it can be timed like its peers:
 *
 *   node bench/engine.ts backup  FOLDER TREE...  the first run, or the next with its cache
 *   node bench/engine.ts restore FOLDER INTO     the newest snapshot
 *   node bench/engine.ts ids     FOLDER TREE...  the ids of all chunks but those of the folders above, whose times are anybody's
 *
 * FOLDER holds store, cache and the keys (in the clear: they protect nothing but a measurement).
 */
import { createPrivateKey, randomBytes, randomFillSync, sign } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { deserialize, serialize } from 'node:v8';
import { keepYoungSpaceSmall } from '../packages/agent/src/young-objects.ts';
import { backup } from '../packages/archive/src/backup/backup.ts';
import { PREFIX_LENGTH } from '../packages/archive/src/endpoint/endpoint.ts';
import { openLocalEndpoint } from '../packages/archive/src/endpoint/local/local-endpoint.ts';
import type { ArchiveKeys } from '../packages/archive/src/format/keys.ts';
import { decodeEnvelope, decodeSnapshotObject } from '../packages/archive/src/format/snapshot.ts';
import { generateArchiveKeys } from '../packages/archive/src/keys/archive-keys.ts';
import { createDecodePool } from '../packages/archive/src/restore/decode-pool.ts';
import { lookup } from '../packages/archive/src/restore/lookup.ts';
import { restore } from '../packages/archive/src/restore/restore.ts';
import { createSessionReader } from '../packages/archive/src/restore/session-reader.ts';
import { openDiskStore } from '../packages/archive/src/store/disk.ts';

type State = { keys: ArchiveKeys; seed: Buffer; device: Buffer; set: Buffer };

const [, , job = '', folder = '', ...rest] = process.argv;
const JOBS: Readonly<Record<string, () => Promise<object>>> = {
  backup: () => backUp(rest),
  restore: () => restoreNewest(rest[0] as string),
  ids: () => chunkIds(rest),
};
const work = JOBS[job];
if (work === undefined || folder === '' || rest.length === 0) {
  process.stderr.write('node bench/engine.ts backup|restore|ids FOLDER TREE...|INTO\n');
  process.exit(2);
}
keepYoungSpaceSmall(); // as the agent does
mkdirSync(folder, { recursive: true, mode: 0o700 });
const { keys, seed, device, set } = readState(join(folder, 'keys'));
const store = await openDiskStore(join(folder, 'store'), { create: true });
const endpoint = await openLocalEndpoint({ store, archiveId: keys.archiveId });
process.stdout.write(`${JSON.stringify(await work())}\n`);

async function backUp(trees: readonly string[]): Promise<object> {
  const key = createPrivateKey({
    key: Buffer.concat([Buffer.from('302e020100300506032b657004220420', 'hex'), seed]), // RFC 8410
    format: 'der',
    type: 'pkcs8',
  });
  const { kind, stats } = await backup({
    endpoint,
    keys,
    sign: (message) => sign(null, message, key),
    deviceId: device,
    deviceName: 'bench',
    setId: set,
    setName: 'bench',
    destinationId: set,
    agentVersion: 'bench',
    roots: trees.map((tree) => Buffer.from(tree)),
    cacheDir: join(folder, 'cache'),
    now: Date.now,
  });
  return { kind, ...stats };
}

async function newestRoot(): Promise<Uint8Array> {
  const objects = (await endpoint.snapshots()).map(({ object }) => object).filter((object) => object !== null);
  const envelopes = objects.map((object) => decodeEnvelope(decodeSnapshotObject(object).envelope));
  const newest = envelopes.sort((a, b) => b.sequence - a.sequence)[0];
  if (newest === undefined) throw new Error('there is no snapshot');
  return newest.root;
}

async function restoreNewest(into: string): Promise<object> {
  const restored = await restore({ endpoint, keys, root: await newestRoot(), target: { dir: into } });
  if (!restored.ok) throw new Error(`not all was restored: ${JSON.stringify(restored)}`);
  return { ...restored.done, packs: restored.packs, bytesRead: restored.bytesRead };
}

async function chunkIds(trees: readonly string[]): Promise<string[]> {
  const session = await endpoint.openSession('check');
  const prefixes = Buffer.from((await session.present(null)).prefixes);
  await session.close();
  const ids = Array.from({ length: prefixes.length / PREFIX_LENGTH }, (_, i) =>
    prefixes.toString('hex', i * PREFIX_LENGTH, (i + 1) * PREFIX_LENGTH),
  );
  const above = new Set((await treesAbove(trees)).map((id) => Buffer.from(id).toString('hex', 0, PREFIX_LENGTH)));
  return ids.filter((id) => !above.has(id)).sort();
}

async function treesAbove(trees: readonly string[]): Promise<Uint8Array[]> {
  const root = await newestRoot();
  const pool = createDecodePool(keys, 1);
  const reader = createSessionReader({ endpoint, opener: pool });
  try {
    const found = trees.flatMap((tree) => {
      const names = tree.split('/').slice(1, -1);
      return names.map((_, i) => lookup(reader, root, names.slice(0, i + 1).join('/'), { includeGone: false }));
    });
    const entries = await Promise.all(found);
    return [root, ...entries.flatMap((entry) => entry?.tree ?? [])];
  } finally {
    await Promise.allSettled([reader.close(), pool.close()]);
  }
}

function readState(file: string): State {
  if (existsSync(file)) return deserialize(readFileSync(file));
  const state = {
    keys: generateArchiveKeys((bytes) => randomFillSync(bytes)),
    seed: randomBytes(32),
    device: randomBytes(16),
    set: randomBytes(16),
  };
  writeFileSync(file, serialize(state), { mode: 0o600 });
  return state;
}
