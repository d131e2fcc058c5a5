// What the storage tells whoever asks how the server is: what was concluded, until something else is.

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { snapshotName } from '@holdfast/archive/store/layout.ts';
import { MemoryStore } from '@holdfast/archive/store/memory.ts';
import { onBothDatabases } from '../database/testing/both.ts';
import { openIndex } from './index/open-index.ts';
import { indexWarnings } from './index/troubles.ts';
import { createStorage, reindex } from './storage.ts';
import { type FrameSpec, id } from './testing/made.ts';
import { Site } from './testing/site.ts';
import { START_OF_TIME, testArchive, testPoint, testPorts } from './testing/test-point.ts';

const data = (...names: string[]): FrameSpec[] => names.map((name) => ({ id: id(name) }));
const tree = (name: string, ...links: string[]): FrameSpec => ({ id: id(name), links: links.map(id) });

onBothDatabases('the warnings of the storage', (fresh) => {
  /** Runs the storage beside a device and its own commands, as they share an index. */
  async function running() {
    const clock = { now: START_OF_TIME };
    const [index, blobs] = [await fresh(), new MemoryStore({ now: () => clock.now })];
    const storage = await createStorage({ ...testPorts(clock), points: [{ name: 'only', index, blobs }] });
    await storage.ready;
    const point = await testPoint({ index: await openIndex(index), blobs, clock });
    const site = new Site(point, await testArchive(point));
    const close = async () => {
      await point.index.close();
      await storage.close();
    };
    return { site, index, storage, close };
  }

  test('name damage that a command beside the server found, until a backup has healed it', async () => {
    const { site, storage, close } = await running();
    await site.backUp([data('a'), [tree('t', 'a')]], id('t'));
    assert.deepEqual(await storage.warnings(), []);
    const [first = ''] = await site.packs();
    const bytes = await site.blobs.get(first);
    await site.blobs.put(first, bytes.with(90, (bytes[90] as number) ^ 1));
    await site.maintain('verify');
    assert.deepEqual(await storage.warnings(), ['chunks_lost']);
    await site.maintain('verify');
    assert.deepEqual(await storage.warnings(), ['chunks_lost'], 'though nothing new was found');
    await site.backUp([data('a'), [tree('t', 'a')]], id('t'));
    assert.deepEqual(await storage.warnings(), []);
    await close();
  });

  test('say that retention and collect are held after a reindex, until they are turned on', async () => {
    const { site, index, close } = await running();
    await site.backUp([data('a'), [tree('t', 'a')]], id('t'));
    const { blobs } = site;
    await close();
    const ports = testPorts({ now: START_OF_TIME });
    const point = { name: 'only', index, blobs };
    await reindex({ ...ports, point });
    const storage = await createStorage({ ...ports, points: [point] });
    assert.deepEqual(
      await storage.warnings(),
      ['storage_unavailable', 'maintenance_held'],
      'it looks at its index yet',
    );
    await storage.ready;
    assert.deepEqual(await storage.warnings(), ['maintenance_held']);
    await storage.maintenance.run('retention', { enable: true });
    assert.deepEqual(await storage.warnings(), []);
    await storage.close();
  });
});

describe('a conclusion of maintenance', () => {
  async function backedUp() {
    const site = await Site.make();
    const snapshot = await site.backUp([data('a'), data('b'), data('c'), data('d'), [tree('t', 'a')]], id('t'));
    const warnings = () => site.point.index.read(indexWarnings);
    return { site, warnings, snapshot };
  }

  test('that too much is missing stands until the right disk is back', async () => {
    const { site, warnings } = await backedUp();
    const kept = new Map<string, Uint8Array>();
    for (const name of await site.packs()) {
      kept.set(name, await site.blobs.get(name));
      await site.blobs.delete(name);
    }
    await site.maintain('collect');
    await site.maintain('verify');
    assert.ok((await warnings()).includes('reconcile_stopped'));
    for (const [name, bytes] of kept) await site.blobs.put(name, bytes);
    await site.maintain('reconcile');
    assert.equal((await warnings()).includes('reconcile_stopped'), false);
  });

  test('that a snapshot is gone stands until it is back', async () => {
    const { site, warnings, snapshot } = await backedUp();
    const name = snapshotName(site.archive.id, snapshot?.id ?? new Uint8Array());
    const bytes = await site.blobs.get(name);
    await site.blobs.delete(name);
    await site.maintain('collect');
    assert.deepEqual(await warnings(), ['snapshots_vanished']);
    await site.blobs.put(name, bytes);
    await site.maintain('reconcile');
    assert.deepEqual(await warnings(), []);
  });

  test('that the index is wrong stands until it agrees', async () => {
    const { site, warnings } = await backedUp();
    const rows = await site.point.index.read((on) => on.db.selectFrom('chunks').selectAll().execute());
    await site.point.index.write((on) => on.db.updateTable('chunks').set({ offset: 5 }).execute());
    await site.laterBy();
    await site.maintain('verify');
    assert.deepEqual(await warnings(), ['index_disagrees']);
    for (const { prefix, offset } of rows)
      await site.point.index.write((on) =>
        on.db.updateTable('chunks').set({ offset }).where('prefix', '=', prefix).execute(),
      );
    await site.laterBy();
    await site.maintain('verify');
    assert.deepEqual(await warnings(), []);
  });

  test('that a job failed stands until the same job has done its work', async () => {
    const state = { fails: true };
    const site = await Site.make({}, async () => {
      if (state.fails) throw new Error('no policy to be had');
      return null;
    });
    const warnings = () => site.point.index.read(indexWarnings);
    assert.equal((await site.maintain('retention')).failed, 1);
    await site.maintain('collect');
    assert.deepEqual(await warnings(), ['maintenance_failed']);
    state.fails = false;
    await site.maintain('retention');
    assert.deepEqual(await warnings(), []);
  });

  test('that no folder may be called dead stands until collect can read them all', async () => {
    const { site, warnings } = await backedUp();
    const session = await site.device.open();
    const pack = site.name(await site.device.put(session, [tree('u', 'a')]));
    await site.device.commit(session, id('u'));
    const bytes = await site.blobs.get(pack);
    const at = bytes.length - 60;
    await site.blobs.put(pack, bytes.with(at, (bytes[at] as number) ^ 1));
    await site.maintain('collect');
    assert.deepEqual(await warnings(), ['collect_unsafe']);
    await site.blobs.put(pack, bytes);
    await site.maintain('collect');
    assert.deepEqual(await warnings(), []);
  });
});
