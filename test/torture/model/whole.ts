/** The whole engine: backup and restore as an agent runs them, threads, caches and all. */
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { type BackupEvent, type BackupResult, backup } from '@holdfast/archive/backup/backup.ts';
import type { ArchiveEndpoint } from '@holdfast/archive/endpoint/endpoint.ts';
import type { ArchiveKeys } from '@holdfast/archive/format/keys.ts';
import { restore } from '@holdfast/archive/restore/restore.ts';
import { Broken } from './broken.ts';
import { seedChance } from './seeded-chance.ts';
import { DESTINATION, type DeviceIdentity } from './site.ts';
import { bytesOf, type Tree } from './tree.ts';
import { treeSource } from './tree-source.ts';

export type WholeBackup = {
  readonly endpoint: ArchiveEndpoint;
  readonly keys: ArchiveKeys;
  readonly device: DeviceIdentity;
  readonly setId: Uint8Array;
  readonly tree: Tree;
  readonly cacheDir: string;
  readonly now: () => number;
  /** Decides the nonces. */
  readonly seed: string;
};

export async function backUpWhole(options: WholeBackup): Promise<BackupResult> {
  const { endpoint, keys, device, setId, tree, cacheDir, now, seed } = options;
  const restoreChance = seedChance(`${seed}/main`);
  try {
    return await backup({
      endpoint,
      keys,
      sign: device.sign,
      deviceId: device.id,
      deviceName: device.name,
      setId,
      setName: 'whole',
      destinationId: DESTINATION,
      agentVersion: '4.1.5',
      roots: [Buffer.from('/')],
      cacheDir,
      workers: 1,
      now,
      patienceMs: 0,
      source: treeSource(tree, seed),
      onEvent: refuseTrouble,
    });
  } finally {
    restoreChance();
  }
}

/** Nothing is lost in the model, and no session is silent so long that the engine has to ask anew for what it was told. */
function refuseTrouble(event: BackupEvent): void {
  if (event.kind === 'missing' || event.kind === 'chain' || event.kind === 'skipped')
    throw new Broken(`the engine reports ${JSON.stringify(event)}`);
}

/** Restores into a folder of its own and compares every file. */
export async function restoreWhole(
  endpoint: ArchiveEndpoint,
  keys: ArchiveKeys,
  root: Uint8Array,
  tree: Tree,
  folder: string,
): Promise<void> {
  const dir = mkdtempSync(join(folder, 'restored-'));
  try {
    const result = await restore({ endpoint, keys, root, target: { dir }, workers: 0 });
    if (result.damaged.length > 0) throw new Broken(`the restore lacks ${result.damaged.length} chunks`);
    const files = readdirSync(dir, { recursive: true, encoding: 'utf8' }).filter((path) =>
      statSync(join(dir, path)).isFile(),
    );
    const wrong = files.filter((path) => {
      const content = tree.get(path);
      return content === undefined || !readFileSync(join(dir, path)).equals(bytesOf(content));
    });
    if (wrong.length > 0 || files.length !== tree.size)
      throw new Broken(`${files.length} files restored, ${wrong} wrong`);
  } finally {
    rmSync(dir, { recursive: true });
  }
}
