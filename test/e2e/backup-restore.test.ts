/** The life of a folder through the real programs: every state of it comes back exactly. */
import assert from 'node:assert/strict';
import {
  appendFileSync,
  existsSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import type { Manifest } from '../../scripts/manifest.ts';
import { makeOddTree, noise } from './support/odd-tree.ts';
import { type BackupReport, type Device, World } from './support/world.ts';

describe('a folder through its life', () => {
  const world = new World();
  const states: { snapshot: string; manifest: Manifest }[] = [];
  let device: Device;
  let first: BackupReport;

  async function backUp(): Promise<BackupReport> {
    const manifest = world.manifest();
    const report = await device.backup();
    assert.equal(report.kind, 'committed');
    assert.deepEqual(report.skipped, []);
    states.push({ snapshot: report.snapshotId, manifest });
    return report;
  }

  before(async () => {
    await world.start();
    device = await world.device('ada', 'laptop');
    makeOddTree(world.work);
  });
  after(() => world.close());

  test('is backed up with everything in it', async () => {
    first = await backUp();
    assert.equal(first.stats.bytes > 20_000_000, true);
    assert.equal(first.stats.bytesStored < 20_000_000, true, 'holes are not stored');
  });

  test('costs nothing when nothing changed', async () => {
    const again = await device.backup();
    assert.equal(again.kind, 'current');
    assert.equal(again.snapshotId, first.snapshotId);
    assert.equal(again.stats.bytesStored, 0);
  });

  test('a small change costs little', async () => {
    appendFileSync(join(world.work, 'plain', 'large.bin'), 'one more line\n');
    const { stats } = await backUp();
    assert.equal(stats.bytesStored < 5_000_000, true, `${stats.bytesStored} bytes for an append`);
  });

  test('renames store no content again', async () => {
    renameSync(join(world.work, 'many'), join(world.work, 'many, renamed'));
    renameSync(join(world.work, 'plain', 'just large.bin'), join(world.work, 'moved.bin'));
    const { stats } = await backUp();
    assert.equal(stats.bytesStored < 100_000, true, `${stats.bytesStored} bytes for renames`);
  });

  test('deletions, replacements and new files are caught', async () => {
    rmSync(join(world.work, 'plain', 'deep'), { recursive: true });
    unlinkSync(join(world.work, 'many, renamed', 'file 7'));
    rmSync(join(world.work, 'plain', 'secret'));
    writeFileSync(join(world.work, 'plain', 'secret'), noise(300_000, 9));
    writeFileSync(join(world.work, 'plain', 'to be or not'), 'new\n');
    await backUp();
  });

  test('every snapshot restores exactly', async () => {
    for (const { snapshot, manifest } of states) {
      assert.deepEqual(await world.restored(device, snapshot, manifest), []);
    }
  });

  test('a deleted file is found and comes back from the newest snapshot', async () => {
    const deleted = join(world.work, 'many, renamed', 'file 7');
    const { entries } = device.ok<{ entries: { path: string }[] }>(await device.run('find', 'file 7', '--deleted'));
    assert.deepEqual(
      entries.map(({ path }) => path),
      [deleted, join(world.work, 'many', 'file 7')], // the folder it was in before the renaming is deleted too
    );
    device.ok(await device.run('restore', deleted, '--deleted'));
    assert.equal(readFileSync(deleted, 'utf8'), 'content 7\n');
  });

  test('a file that is there keeps its content under another name', async () => {
    const path = join(world.work, 'plain', 'to be or not');
    writeFileSync(path, 'edited since\n');
    device.ok(await device.run('restore', path));
    assert.equal(readFileSync(path, 'utf8'), 'new\n');
    const kept = readdirSync(join(world.work, 'plain')).filter(
      (name) => name.startsWith('to be or not') && name !== 'to be or not',
    );
    assert.equal(kept.length, 1);
    assert.equal(readFileSync(join(world.work, 'plain', kept[0] as string), 'utf8'), 'edited since\n');
  });

  test('one folder out of an older snapshot', async () => {
    const into = join(world.folder, 'one folder');
    const wanted = join(world.work, 'plain', 'deep');
    device.ok(await device.run('restore', wanted, '--snapshot', states[0]?.snapshot as string, '--to', into));
    assert.equal(existsSync(join(into, 'deep', 'deeper', 'bottom')), true);
    assert.deepEqual(readdirSync(into), ['deep']);
  });

  test('check reads every byte and finds nothing', async () => {
    device.ok(await device.run('check', '--read-data'));
  });
});
