// Each pair of docs/concurrency.md: one of the two is stopped before each of its operations in turn, and the other runs from beginning to
// end in between. Nothing may fail or raise an alert, and after all has settled every snapshot that is left must be readable.

import assert from 'node:assert/strict';
import { before, describe, test } from 'node:test';
import { MemoryStore } from '@holdfast/archive/store/memory.ts';
import { ProtocolError } from '@holdfast/protocol/errors.ts';
import { committedSnapshots } from '../index/snapshots.ts';
import { locate } from '../reads/questions.ts';
import { readPack } from '../reads/read-pack.ts';
import { Actor, steppedRun } from '../testing/actor.ts';
import { Device } from '../testing/device.ts';
import { id } from '../testing/made.ts';
import { Site } from '../testing/site.ts';
import { memoryIndex, type TestPoint } from '../testing/test-point.ts';
import type { JobName } from './events.ts';

type Name = 'backup' | 'restore' | 'retention' | 'collect' | 'compact' | 'verify' | 'reconcile';

const MINUTE = 60_000;
/** Enough small packs for compaction to take them. */
const BACKUPS = 18;
/** So many places to stop at are tried of each run. */
const STOPS = 3;

const data = (...names: string[]) => names.map((name) => ({ id: id(name) }));
const tree = (name: string, ...links: string[]) => ({ id: id(name), links: links.map(id) });

type Scene = { readonly index: Uint8Array; readonly blobs: readonly Blob[]; readonly now: number };
type Blob = { readonly name: string; readonly bytes: Uint8Array; readonly modified: number };

/** Snapshots for retention to thin, a file that nothing needs for collect, small packs for compaction. */
async function makeScene(): Promise<Scene> {
  const index = await memoryIndex();
  const site = await Site.make({ index });
  for (let i = 0; i < BACKUPS; i++) {
    await site.backUp([data(`file ${i}`), [tree(`root ${i}`, `file ${i}`)]], id(`root ${i}`));
    await site.laterBy(5 * MINUTE);
  }
  await site.backUp([data('loose')]);
  await site.laterBy();
  const { blobs, clock } = site.point;
  const listed = await Array.fromAsync(blobs.list(''));
  const all = listed.map(async ({ name, modified }) => ({ name, modified, bytes: await blobs.get(name) }));
  return { index: index.bytes(), blobs: await Promise.all(all), now: clock.now };
}

/** A copy: making it takes longer than most of what is tried in it. */
async function copyOf({ index, blobs, now }: Scene): Promise<Site> {
  const clock = { now };
  const store = new MemoryStore({ now: () => clock.now });
  for (const { name, bytes, modified } of blobs) {
    clock.now = modified;
    await store.put(name, bytes);
  }
  clock.now = now;
  return Site.make({ index: await memoryIndex(index), blobs: store, clock });
}

/** Takes over what is there, also what only a snapshot reaches that is about to be retired, and stores the rest. */
async function backUp({ point, archive }: Site, n: number): Promise<void> {
  const device = new Device(point, archive, n);
  const session = await device.open();
  const wanted = ['loose', 'file 1', 'file 2', `new ${n}`];
  const there = await device.has(session, ...wanted.map(id));
  const missing = wanted.filter((_, i) => !there[i]);
  await device.put(session, data(...missing));
  await device.put(session, [tree(`root of ${n}`, ...wanted)]);
  await device.commit(session, id(`root of ${n}`));
}

async function restoreAll({ point, archive }: Site, n: number): Promise<void> {
  const device = new Device(point, archive, n);
  const session = await device.open('restore');
  const snapshots = await point.index.read((on) => committedSnapshots(on, archive.number));
  const filesOf = new Map<string, string[]>();
  for (let i = 0; i < BACKUPS; i++) filesOf.set(id(`root ${i}`).toHex(), [`file ${i}`]);
  for (const m of [8, 9]) filesOf.set(id(`root of ${m}`).toHex(), ['loose', 'file 1', 'file 2', `new ${m}`]);
  for (const { root } of snapshots)
    for (const one of [root, ...(filesOf.get(root.toHex()) ?? []).map(id)]) await readChunk(device, session, one);
  await device.close(session);
}

/** Asks again when compaction has moved it meanwhile. */
async function readChunk(device: Device, session: Awaited<ReturnType<Device['open']>>, chunk: Uint8Array) {
  const ref = device.ref(session);
  for (let tries = 0; ; tries++) {
    const [location] = await locate(device.point, ref, chunk);
    assert.ok(location, 'a chunk of a snapshot is nowhere');
    const { packId, offset, length } = location;
    try {
      const range = `bytes=${offset}-${offset + length - 1}`;
      const { body } = await readPack(device.point, ref, packId, range, () => {});
      const parts = await Array.fromAsync(body);
      assert.ok(Buffer.concat(parts).includes(chunk), 'another chunk lies there');
      return;
    } catch (error) {
      if (!(error instanceof ProtocolError) || error.code !== 'chunk_moved' || tries === 3) throw error;
    }
  }
}

async function maintain(site: Site, job: JobName): Promise<void> {
  const { failed } = await site.maintain(job);
  assert.deepEqual([failed, site.alerts], [0, []], `${job}: ${JSON.stringify(site.events)}`);
}

/** `n` tells devices apart. */
function perform(name: Name, site: Site, n: number): Promise<void> {
  switch (name) {
    case 'backup':
      return backUp(site, n);
    case 'restore':
      return restoreAll(site, n);
    // So that there is something to collect that was needed a moment ago.
    case 'collect':
      return maintain(site, 'retention').then(() => maintain(site, 'collect'));
    default:
      return maintain(site, name);
  }
}

/** The first of the two stands before its operation number `stop` while the second runs; returns how many operations it has. */
async function interleave(scene: Scene, first: Name, second: Name, stop: number): Promise<number> {
  const site = await copyOf(scene);
  const actor = new Actor(async (before) => {
    const { point } = steppedRun(site.point, site.archive, before);
    await perform(first, new Site(point as TestPoint, site.archive), 8);
  });
  let steps = 0;
  for (; !actor.over; steps++) {
    if (steps === stop) await perform(second, site, 9);
    await actor.step();
  }
  await settle(site);
  await restoreAll(site, 10);
  await site.point.index.close();
  return steps;
}

/** All that was begun comes to its end, and what is dead goes. */
async function settle(site: Site): Promise<void> {
  for (const job of ['reconcile', 'retention', 'collect', 'compact'] as const) await maintain(site, job);
  await site.nextDay();
  for (const job of ['collect', 'verify'] as const) await maintain(site, job);
}

let scene: Scene;

async function beside(one: Name, other: Name): Promise<void> {
  for (const [first, second] of one === other
    ? ([[one, other]] as const)
    : ([
        [one, other],
        [other, one],
      ] as const)) {
    const steps = await interleave(scene, first, second, 1);
    const stops = Array.from({ length: STOPS }, (_, i) => 2 + Math.floor((i * (steps - 2)) / STOPS));
    for (const stop of new Set(stops)) await interleave(scene, first, second, stop);
  }
}

describe('beside each other', () => {
  before(async () => {
    scene = await makeScene();
  });

  test('backup and backup', () => beside('backup', 'backup'));
  test('backup and restore', () => beside('backup', 'restore'));
  test('backup and retention', () => beside('backup', 'retention'));
  test('backup and collect', () => beside('backup', 'collect'));
  test('backup and compact', () => beside('backup', 'compact'));
  test('backup and verify', () => beside('backup', 'verify'));
  test('backup and reconcile', () => beside('backup', 'reconcile'));
  test('restore and restore', () => beside('restore', 'restore'));
  test('restore and retention', () => beside('restore', 'retention'));
  test('restore and collect', () => beside('restore', 'collect'));
  test('restore and compact', () => beside('restore', 'compact'));
  test('restore and verify', () => beside('restore', 'verify'));
  test('restore and reconcile', () => beside('restore', 'reconcile'));
  test('retention and retention', () => beside('retention', 'retention'));
  test('retention and collect', () => beside('retention', 'collect'));
  test('retention and compact', () => beside('retention', 'compact'));
  test('retention and verify', () => beside('retention', 'verify'));
  test('retention and reconcile', () => beside('retention', 'reconcile'));
  test('collect and collect', () => beside('collect', 'collect'));
  test('collect and compact', () => beside('collect', 'compact'));
  test('collect and verify', () => beside('collect', 'verify'));
  test('collect and reconcile', () => beside('collect', 'reconcile'));
  test('compact and compact', () => beside('compact', 'compact'));
  test('compact and verify', () => beside('compact', 'verify'));
  test('compact and reconcile', () => beside('compact', 'reconcile'));
  test('verify and verify', () => beside('verify', 'verify'));
  test('verify and reconcile', () => beside('verify', 'reconcile'));
  test('reconcile and reconcile', () => beside('reconcile', 'reconcile'));
});
