/** A disk is full: the server's, the agent's, or the one that is restored to. It is said, and goes on when there is room. */
import assert from 'node:assert/strict';
import { answer, type Ended } from '../../../scripts/processes.ts';
import { Daemon, JUMP_MS, nextReport, whileRuns } from '../support/daemon.ts';
import { warningsOf } from '../support/health.ts';
import { requireCleanStore, requireWholeFiles } from '../support/leftovers.ts';
import type { Random } from '../support/random.ts';
import { CAN_MOUNT, onSmallDisk, type SmallDisk } from '../support/small-disk.ts';
import { changeTree, rewriteLarge } from '../support/tree.ts';
import type { Device, World } from '../support/world.ts';
import type { Round } from './round.ts';

const MB = 1_000_000;
const ROOM = 300 * MB;
const SKIPPED = 'skipped: only root can make a small disk';

export const fullDisk: Round = {
  name: 'full-disk',
  weight: 2,
  async run(world, random) {
    if (!CAN_MOUNT) return SKIPPED;
    const device = random.pick(world.devices);
    return random.pick([storeIsFull, homeIsFull, targetIsFull, homeFillsBesideService])(world, device, random);
  },
};

type Refusal = { readonly error: { readonly code: string; readonly message: string } };

function codeOf(ended: Ended): string {
  assert.notEqual(ended.code, null);
  assert.notEqual(ended.code, 0, 'it does not claim to have done it');
  const { error } = answer<Refusal>(ended, [ended.code as number]);
  assert.match(error.message, /\S \S/, 'advice');
  return error.code;
}

export async function storeIsFull(world: World, device: Device, random: Random): Promise<string> {
  await world.stopServer();
  const disk = onSmallDisk(world.storeDir, 6 * MB);
  try {
    await world.startServer();
    changeTree(device.tree, random);
    rewriteLarge(device.tree, 20 * MB, random);
    const full = await world.onDevice(device, ['backup', '--set', 'work']);
    const code = codeOf(full);
    assert.equal(code, 'storage_full', full.stdout);
    assert.ok((await warningsOf(world.server)).includes('storage_full'), 'health says so');
    const newest = world.ledger.newest(device.name);
    assert.ok(newest);
    await world.restores(newest);
    disk.grow(ROOM);
    await world.backup(device);
    assert.ok(!(await warningsOf(world.server)).includes('storage_full'), 'and no longer');
    requireCleanStore(world.storeDir);
    return `the store: ${code}, then done`;
  } finally {
    await world.stopServer();
    disk.end();
    await world.startServer();
  }
}

export async function homeIsFull(world: World, device: Device, random: Random): Promise<string> {
  const disk = onSmallDisk(device.home, 16_384);
  try {
    changeTree(device.tree, random);
    rewriteLarge(device.tree, 20 * MB, random);
    const manifest = world.manifest(device);
    const full = await world.onDevice(device, ['backup', '--set', 'work']);
    const code = full.code === 0 ? 'it was enough' : codeOf(full);
    if (full.code !== 0) assert.equal(code, 'disk_full', full.stdout);
    disk.grow(ROOM);
    await world.adopt(device, manifest);
    await world.backup(device);
    return `the agent's: ${code}, then done`;
  } finally {
    disk.end();
  }
}

export async function homeFillsBesideService(world: World, device: Device, random: Random): Promise<string> {
  const disk = onSmallDisk(device.home, 16_384);
  try {
    const code = await serviceWaitsForRoom(world, device, random, disk);
    if (code !== null) assert.equal(code, 'disk_full');
    return `the agent's, beside the service: ${code ?? 'it was enough'}, then done`;
  } finally {
    disk.end();
  }
}

/** It says what is wrong, lives on, and backs up when there is room, without help. Returns of what it told, if of anything. */
async function serviceWaitsForRoom(
  world: World,
  device: Device,
  random: Random,
  disk: SmallDisk,
): Promise<string | null> {
  changeTree(device.tree, random);
  rewriteLarge(device.tree, 20 * MB, random);
  const manifest = world.manifest(device);
  await world.advance(JUMP_MS);
  let code: string | null = null;
  await whileRuns(new Daemon(world, device, { jumpMs: JUMP_MS }), async (daemon) => {
    const first = await daemon.until(({ event }) => event === 'done' || event === 'failed');
    assert.ok(first, 'it lives on');
    let report = first.report ?? null;
    if (report === null) {
      code = first.code ?? '';
      assert.match(first.msg, /\S \S/, 'advice');
      disk.grow(ROOM);
      daemon.jump();
      answer(await world.onDevice(device, ['resume'])); // by it, it looks at its clock
      report = await nextReport(daemon);
    }
    assert.ok(report, 'it goes on');
    await world.adopt(device, manifest);
    world.acknowledged(device, report, manifest);
  });
  await world.advance(JUMP_MS);
  return code;
}

export async function targetIsFull(world: World, device: Device): Promise<string> {
  const entry = world.ledger.newest(device.name);
  assert.ok(entry);
  const to = world.newFolder();
  const disk = onSmallDisk(to, 4 * MB);
  try {
    const args = world.restoreArgs(device, entry, to);
    const full = await world.onDevice(device, args);
    assert.notEqual(full.code, 0, 'it does not claim to have done it');
    assert.match(full.stdout, /target_full/);
    disk.grow(ROOM);
    answer(await world.onDevice(device, args));
    world.requireEqual(entry, to);
    requireWholeFiles(to);
    return 'the target of a restore: target_full, then done';
  } finally {
    disk.end();
    world.discard(to);
  }
}
