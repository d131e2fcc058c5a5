import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { randomBytes, randomFillSync } from 'node:crypto';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { describe, it, type TestContext } from 'node:test';
import { openLocalEndpoint } from '../endpoint/local/local-endpoint.ts';
import { decodeEnvelope, decodeSnapshotObject } from '../format/snapshot.ts';
import { generateArchiveKeys } from '../keys/archive-keys.ts';
import { restore } from '../restore/restore.ts';
import { scan } from '../restore/testing/scan.ts';
import { openDiskStore } from '../store/disk.ts';
import type { ProcessTask } from './testing/backup-process.ts';
import { noise } from './testing/fixture.ts';

const SCRIPT = new URL('./testing/backup-process.ts', import.meta.url);
const random = (length: number) => randomFillSync(Buffer.alloc(length)).toString('hex');

function taskIn(t: TestContext): { task: ProcessTask; dir: string; keys: ReturnType<typeof generateArchiveKeys> } {
  const dir = mkdtempSync(join(tmpdir(), 'holdfast-process-'));
  t.after(() => rmSync(dir, { recursive: true, force: true }));
  const keys = generateArchiveKeys(randomFillSync);
  const { archiveId, idKey, chunkerKey, contentKeys, dataParams, bundleParams } = keys;
  const hex = { archiveId: archiveId.toHex(), idKey: idKey.toHex(), chunkerKey: chunkerKey.toHex() };
  const task = {
    store: join(dir, 'store'),
    root: join(dir, 'tree'),
    cacheDir: join(dir, 'cache'),
    ids: { device: random(16), set: random(16), destination: random(16) },
    seed: random(32),
    keys: { ...hex, content: (contentKeys.get(1) as Uint8Array).toHex() },
    params: { dataParams, bundleParams },
  };
  mkdirSync(task.root);
  return { task, dir, keys };
}

/** Its last line; killed when it says that it stopped. */
function run(task: ProcessTask): Promise<string> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [SCRIPT.pathname, JSON.stringify(task)], {
      stdio: ['pipe', 'pipe', 'inherit'],
    });
    let last = '';
    createInterface({ input: child.stdout }).on('line', (line) => {
      last = line;
      if (line === 'stopped') child.kill('SIGKILL');
    });
    child.on('error', reject);
    child.on('close', () => resolve(last));
  });
}

describe('a backup in a process of its own', () => {
  for (const stopAt of [
    { kind: 'session', count: 1 },
    { kind: 'walked', count: 1 },
    { kind: 'pack', count: 1 },
    { kind: 'pack', count: 3 },
  ]) {
    it(`that is killed at ${stopAt.kind} ${stopAt.count} leaves a store from which the next one goes on`, async (t) => {
      const { task, dir, keys } = taskIn(t);
      for (let i = 0; i < 5; i++) writeFileSync(join(task.root, `big${i}`), noise(`big${i}`, 12_000_000));
      for (let i = 0; i < 50; i++) writeFileSync(join(task.root, `small${i}`), `content ${i}`);
      assert.equal(await run({ ...task, stopAt }), 'stopped');
      assert.match(await run(task), /^committed /);
      const endpoint = await openLocalEndpoint({ store: await openDiskStore(task.store), archiveId: keys.archiveId });
      const [snapshot] = await endpoint.snapshots();
      const { root } = decodeEnvelope(decodeSnapshotObject((snapshot as { object: Uint8Array }).object).envelope);
      const target = join(dir, 'restored');
      await restore({ endpoint, keys, root, target: { dir: target } });
      assert.deepEqual(scan(join(target, task.root)), scan(task.root));
    });
  }

  it('keeps its memory bounded, whatever passes through it', async (t) => {
    const { task } = taskIn(t);
    for (let i = 0; i < 90; i++) writeFileSync(join(task.root, `big${i}`), randomBytes(10_000_000));
    const [, kilobytes] = (await run(task)).split(' ');
    assert.ok(Number(kilobytes) < 600_000, `${kilobytes} KB for 900 MB`);
  });
});
