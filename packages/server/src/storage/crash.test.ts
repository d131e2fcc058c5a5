// The power is cut at every single operation on the store point and at every transaction of the index, in a life of
// backups and maintenance. After the next start everything that was acknowledged is there, and life goes on.

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { ArchiveError } from '@holdfast/archive/errors.ts';
import { toHex } from '@holdfast/archive/format/ids.ts';
import { FaultyStore } from '@holdfast/archive/store/faulty.ts';
import { MemoryStore } from '@holdfast/archive/store/memory.ts';
import { packsBeingDeleted } from './index/packs.ts';
import type { Session } from './index/sessions.ts';
import { committedSnapshots } from './index/snapshots.ts';
import type { Device } from './testing/device.ts';
import { type FrameSpec, id, type MadePack, makePack } from './testing/made.ts';
import { CutIndex, PowerCut } from './testing/power-cut.ts';
import { Site } from './testing/site.ts';
import { HOUR, memoryIndex, START_OF_TIME, testArchive, testPoint } from './testing/test-point.ts';

const SIZE = 20_000;
const data = (...names: string[]): FrameSpec[] => names.map((name) => ({ id: id(name), size: SIZE }));
const tree = (name: string, ...links: string[]): FrameSpec => ({ id: id(name), links: links.map(id) });

/** What a device was told. */
type Told = {
  /** Roots of acknowledged snapshots, and all that they reach. */
  readonly snapshots: { readonly id: Uint8Array; readonly reaches: readonly string[] }[];
  /** Packs acknowledged in the session that is open. */
  open: {
    readonly session: Session;
    readonly device: Device;
    readonly packs: MadePack[];
    readonly ids: string[];
  } | null;
};

/** A life in which something of everything happens; each acknowledgement is noted at once. */
async function live(site: Site, told: Told): Promise<void> {
  const { device } = site;
  const backUp = async (packs: readonly FrameSpec[][], reaches: readonly string[], root: string) => {
    const session = await device.open();
    told.open = { session, device, packs: [], ids: [] };
    for (const frames of packs) {
      const pack = makePack(site.archive.id, frames);
      await device.putBytes(session, pack.id, pack.bytes);
      told.open.packs.push(pack);
      told.open.ids.push(...frames.map((frame) => toHex(frame.id)));
    }
    const made = device.make(id(root));
    await device.commitMade(session, made);
    told.snapshots.push({ id: made.id, reaches });
    told.open = null;
    site.point.clock.now += 20 * 60_000;
  };
  await backUp([data('a', 'b', 'x', 'y'), [tree('t', 'a', 'x', 'y')]], ['t', 'a', 'x', 'y'], 't');
  await backUp([data('c'), [tree('t2', 'a', 'c')]], ['t2', 'a', 'c'], 't2');
  await backUp([data('d'), [tree('t3', 'a', 'c', 'd')]], ['t3', 'a', 'c', 'd'], 't3');
  site.point.clock.now += 40 * 24 * HOUR;
  for (const job of ['retention', 'collect', 'compact', 'verify', 'reconcile'] as const) await maintain(site, job);
  await backUp([data('e', 'b'), [tree('t4', 'a', 'e', 'b')]], ['t4', 'a', 'e', 'b'], 't4');
  site.point.clock.now += 26 * HOUR;
  await maintain(site, 'collect');
}

/** A job that fails because the power is cut ends the life. */
async function maintain(site: Site, job: Parameters<Site['maintain']>[0]): Promise<void> {
  await site.maintain(job);
  const failed = site.events.find((event) => event.kind === 'failed');
  if (failed?.kind === 'failed') throw failed.error;
}

async function world() {
  return { blobs: new MemoryStore(), index: await memoryIndex(), clock: { now: START_OF_TIME } };
}

type TheWorld = Awaited<ReturnType<typeof world>>;

async function siteOn(given: Parameters<typeof testPoint>[0]): Promise<Site> {
  const point = await testPoint(given);
  return new Site(point, await testArchive(point));
}

/** Everything that was acknowledged, and not retired since, is there. */
async function checkTold(site: Site, told: Told): Promise<void> {
  const rows = await site.point.index.read((on) => committedSnapshots(on, site.archive.number));
  const there = new Set(rows.map((row) => toHex(row.id)));
  const tombstones = new Set((await site.objects()).filter((name) => name.includes('/tombstones/')));
  for (const snapshot of told.snapshots) {
    const isRetired = [...tombstones].some((name) => name.endsWith(toHex(snapshot.id)));
    assert.ok(there.has(toHex(snapshot.id)) || isRetired, 'an acknowledged snapshot is listed');
    if (isRetired) continue;
    assert.ok((await site.present(...snapshot.reaches.map(id))).every(Boolean), 'and complete');
  }
  const objects = new Set(await site.packs());
  const used = await site.point.index.read((on) =>
    on.db.selectFrom('packs').select('id').where('rows', '>', 0).execute(),
  );
  for (const pack of used) assert.ok(objects.has(site.name(pack.id)), 'every pack that is in use has its object');
}

/** The next start: what was in flight is done again, then maintenance has its turn. */
async function goOn(after: TheWorld, told: Told): Promise<void> {
  const site = await siteOn(after);
  after.clock.now += 5 * 60_000;
  await checkTold(site, told);
  if (told.open !== null) {
    const { session, packs, ids } = told.open;
    const again = Object.assign(Object.create(told.open.device), { point: site.point }) as Device;
    try {
      if (ids.length > 0) {
        const flags = await again.has(session, ...ids.map((hex) => Uint8Array.fromHex(hex)));
        assert.ok(flags.every(Boolean), 'what was acknowledged is present for its session');
      }
      for (const pack of packs) assert.equal(await again.putBytes(session, pack.id, pack.bytes), 'exists');
    } catch (error) {
      // The commit may have been done though nobody was told; then its session has ended.
      assert.equal((error as { code?: string }).code, 'session_ended', String(error));
    }
  }
  for (const job of ['reconcile', 'collect', 'retention', 'compact', 'verify', 'collect'] as const) {
    after.clock.now += 13 * HOUR;
    await maintain(site, job);
    assert.deepEqual(site.alerts, []);
    await checkTold(site, told);
  }
  assert.deepEqual(await site.point.index.read((on) => packsBeingDeleted(on, site.archive.number)), []);
  await site.backUp([data('later'), [tree('l', 'later')]], id('l'));
  assert.deepEqual(await site.present(id('l'), id('later')), [true, true]);
}

const isCut = (error: unknown): boolean =>
  error instanceof PowerCut || (error instanceof ArchiveError && error.code === 'store_unavailable');

async function liveUntilCut(cut: (world: TheWorld) => Parameters<typeof testPoint>[0]): Promise<boolean> {
  const base = await world();
  const told: Told = { snapshots: [], open: null };
  let wasCut = false;
  try {
    await live(await siteOn(cut(base)), told);
  } catch (error) {
    if (!isCut(error)) throw error;
    wasCut = true;
  }
  await goOn(base, told);
  await base.index.close();
  return wasCut;
}

describe('a power cut', () => {
  test('at any operation on the store point loses nothing that was acknowledged', async () => {
    let cutAt = 1;
    for (; ; cutAt++) {
      const wasCut = await liveUntilCut((base) => ({
        ...base,
        blobs: new FaultyStore(base.blobs, { seed: cutAt, cutAt }),
      }));
      if (!wasCut) break;
    }
    assert.ok(cutAt > 80, `only ${cutAt} operations`);
  });

  test('at any transaction of the index loses nothing that was acknowledged', async () => {
    let cutAt = 1;
    for (; ; cutAt++) {
      const wasCut = await liveUntilCut((base) => ({ ...base, index: new CutIndex(base.index, cutAt) }));
      if (!wasCut) break;
    }
    assert.ok(cutAt > 80, `only ${cutAt} transactions`);
  });
});
