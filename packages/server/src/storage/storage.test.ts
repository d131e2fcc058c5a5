// The index is an index: set back, lost or made anew, it follows what lies in the store point.

import assert from 'node:assert/strict';
import { copyFileSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import type { BlobStore } from '@holdfast/archive/store/blob-store.ts';
import { packName } from '@holdfast/archive/store/layout.ts';
import { MemoryStore } from '@holdfast/archive/store/memory.ts';
import type { DatabaseConfig } from '../config.ts';
import { onBothDatabases } from '../database/testing/both.ts';
import { ServerError } from '../errors.ts';
import { findArchive } from './index/archives.ts';
import { openIndex } from './index/open-index.ts';
import { indexWarnings } from './index/troubles.ts';
import { createStorage, reindex } from './storage.ts';
import { Device } from './testing/device.ts';
import { type FrameSpec, id } from './testing/made.ts';
import { Site } from './testing/site.ts';
import { HOUR, START_OF_TIME, testArchive, testPoint, testPorts } from './testing/test-point.ts';

const data = (...names: string[]): FrameSpec[] => names.map((name) => ({ id: id(name) }));
const tree = (name: string, ...links: string[]): FrameSpec => ({ id: id(name), links: links.map(id) });

const clock = { now: START_OF_TIME };

/** Starts the storage and stops it, as a server does. */
async function startOnce(index: DatabaseConfig, blobs: BlobStore): Promise<void> {
  const storage = await createStorage({ ...testPorts(clock), points: [{ name: 'only', index, blobs }] });
  await storage.ready;
  await storage.close();
}

/** Works on an archive as a running server would. */
async function onSite<T>(index: DatabaseConfig, blobs: BlobStore, work: (site: Site) => Promise<T>): Promise<T> {
  const point = await testPoint({ index: await openIndex(index), blobs, clock });
  try {
    return await work(new Site(point, await testArchive(point)));
  } finally {
    await point.index.close();
  }
}

const isSuspended = ({ point, archive }: Site) =>
  point.index.read(async (on) => (await findArchive(on, archive.id))?.suspended === 1);

onBothDatabases('an index', (fresh) => {
  test('made anew from the store point alone says the same as the one that was lost', async () => {
    const [index, blobs] = [await fresh(), new MemoryStore({ now: () => clock.now++ })];
    const before = await onSite(index, blobs, async (site) => {
      await site.backUp([data('a', 'b'), [tree('t', 'a', 'b')]], id('t'));
      await site.backUp([data('c'), [tree('u', 'c', 't')]], id('u'));
      await site.backUp([data('loose')]);
      const other = new Device(site.point, await testArchive(site.point, 2));
      const session = await other.open();
      await other.put(session, [...data('z'), tree('y', 'z')]);
      await other.commit(session, id('y'));
      return describeIndex(site);
    });
    const anew = await fresh();
    const result = await reindex({ ...testPorts(clock), point: { name: 'only', index: anew, blobs } });
    assert.deepEqual(result, { archives: 2, packs: 6, snapshots: 3, lostChunks: 0 });
    await onSite(anew, blobs, async (site) => {
      assert.deepEqual(await describeIndex(site), before);
      assert.equal(await isSuspended(site), true);
      assert.equal((await site.maintain('collect')).skipped, 2, 'for either archive');
      clock.now += 2 * HOUR;
      await site.maintain('collect', true);
      assert.deepEqual(await site.present(id('a'), id('c'), id('u'), id('loose')), [true, true, true, false]);
    });
  });

  /** Everything but numbers and times. */
  const describeIndex = ({ point }: Site) =>
    point.index.read(async (on) => {
      const chunks = await on.db
        .selectFrom('chunks')
        .innerJoin('packs', (join) =>
          join.onRef('packs.archive', '=', 'chunks.archive').onRef('packs.number', '=', 'chunks.pack'),
        )
        .innerJoin('archives', 'archives.number', 'chunks.archive')
        .select(['archives.id as archive', 'prefix', 'packs.id as pack', 'offset', 'length', 'kind', 'lost', 'label'])
        .execute();
      const snapshots = await on.db
        .selectFrom('snapshots')
        .select(['id', 'device', 'sequence', 'parent', 'root', 'received', 'partial', 'state'])
        .execute();
      const text = (row: object) =>
        Object.values(row)
          .map((value) => (value instanceof Uint8Array ? value.toHex() : String(value)))
          .join(' ');
      return [...chunks.map(text).sort(), ...snapshots.map(text).sort()];
    });

  test('that is gone is made anew at the next start', async () => {
    const blobs = new MemoryStore();
    const index = await fresh();
    await startOnce(index, blobs);
    await onSite(index, blobs, (site) => site.backUp([data('a'), [tree('t', 'a')]], id('t')));
    const anew = await fresh();
    await startOnce(anew, blobs);
    await onSite(anew, blobs, async (site) => {
      assert.deepEqual(await site.present(id('a'), id('t')), [true, true]);
      assert.equal(await isSuspended(site), true);
    });
  });

  test('stays as it is over any number of starts', async () => {
    const [index, blobs] = [await fresh(), new MemoryStore()];
    await startOnce(index, blobs);
    const session = await onSite(index, blobs, async (site) => {
      const open = await site.device.open();
      await site.device.put(open, data('a'));
      return open;
    });
    for (let i = 0; i < 3; i++) await startOnce(index, blobs);
    await onSite(index, blobs, async (site) => {
      assert.deepEqual(await site.device.has(session, id('a')), [true], 'the session is still open');
      assert.equal(await isSuspended(site), false);
    });
  });

  test('does not trust trees whose chunks are gone from the store point', async () => {
    const blobs = new MemoryStore();
    const a = await onSite(await fresh(), blobs, async (site) => {
      const session = await site.device.open();
      const pack = await site.device.put(session, data('a'));
      await site.device.put(session, [...data('b'), tree('t', 'a'), tree('u', 't', 'b'), tree('v', 'b')]);
      await site.device.commit(session, id('u'));
      return { pack, archive: site.archive.id };
    });
    await blobs.delete(packName(a.archive, a.pack));
    const anew = await fresh();
    const alerts: string[] = [];
    const point = { name: 'only', index: anew, blobs };
    await reindex({ ...testPorts(clock), point, onEvent: (e) => e.kind === 'alert' && alerts.push(e.alert) });
    assert.deepEqual(alerts, ['chunks_lost', 'index_rebuilt']);
    await onSite(anew, blobs, async (site) => {
      assert.deepEqual(await site.point.index.read(indexWarnings), ['maintenance_held', 'chunks_lost']);
      const all = ['a', 't', 'u', 'b', 'v'].map(id);
      assert.deepEqual(await site.present(...all), [false, false, false, true, true]);
      await site.backUp([data('a')]);
      assert.deepEqual(await site.present(...all), [true, true, true, true, true]);
    });
  });

  test('is not made anew while somebody uses it', async () => {
    const [index, blobs] = [await fresh(), new MemoryStore()];
    const storage = await createStorage({ ...testPorts(clock), points: [{ name: 'only', index, blobs }] });
    await storage.ready;
    await assert.rejects(
      reindex({ ...testPorts(clock), point: { name: 'only', index, blobs } }),
      (error) => error instanceof ServerError && error.code === 'data_in_use',
    );
    await storage.close();
    await reindex({ ...testPorts(clock), point: { name: 'only', index, blobs } });
  });
});

test('an index that was set back is corrected before anybody is answered from it', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'holdfast-storage-'));
  const index: DatabaseConfig = { kind: 'sqlite', file: join(folder, 'index.db') };
  const blobs = new MemoryStore();
  const copy = (from: string, to: string) => {
    for (const name of readdirSync(folder).filter((file) => file.startsWith(from) && !file.endsWith('.lock')))
      copyFileSync(join(folder, name), join(folder, name.replace(from, to)));
  };
  try {
    await startOnce(index, blobs);
    const stale = await onSite(index, blobs, async (site) => {
      await site.backUp([data('old'), data('a'), [tree('t', 'a')]], id('t'));
      return site.device.open();
    });
    copy('index.db', 'earlier.db');
    await startOnce(index, blobs);
    await onSite(index, blobs, async (site) => {
      await site.device.close(stale);
      clock.now += 2 * HOUR;
      await site.maintain('collect');
      await site.backUp([data('new'), [tree('u', 'a', 'new')]], id('u'));
      assert.deepEqual(await site.present(id('old'), id('new')), [false, true]);
    });
    copy('earlier.db', 'index.db');
    await onSite(index, blobs, async (site) => {
      assert.deepEqual(await site.present(id('old'), id('new')), [true, false], 'it is set back indeed');
    });
    await startOnce(index, blobs);
    await onSite(index, blobs, async (site) => {
      assert.deepEqual(await site.present(id('old'), id('new'), id('u'), id('a')), [false, true, true, true]);
      assert.equal(await isSuspended(site), true);
      await assert.rejects(site.device.has(stale, id('a')), { code: 'session_ended' });
    });
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});
