/** Everything that file systems hold comes back as other programs see it, or is listed with the reason. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { answer } from '../../../scripts/processes.ts';
import { type HardTreeSize, makeHardTree, removeTree, SOCKET } from '../support/hard-tree.ts';
import { HAS_WITNESSES, witness } from '../support/witness.ts';
import type { BackupReport, Device, World } from '../support/world.ts';
import type { Round } from './round.ts';

export const LONG: HardTreeSize = { entries: 100_000, depth: 500 };
const SET = 'hard';

export const fileSystems: Round = {
  name: 'file-systems',
  weight: 1,
  async run(world, random) {
    const name = `odd ${random.below(2 ** 32).toString(36)}`;
    return random.chance(0.5) ? everythingComesBack(world, name, LONG) : unrestIsBorne(world, name, 12);
  },
};

/** By a device of its own, which nobody else asks for what it has stored. */
export const everythingComesBack = (world: World, name: string, size: HardTreeSize): Promise<string> =>
  onOwnDevice(world, name, async (device) => {
    makeHardTree(device.tree, size);
    await addSet(world, device);
    return comesBack(world, device);
  });

/** What is backed up is never at rest: what could not be read is told with its reason, and what was read comes back. */
export const unrestIsBorne = (world: World, name: string, backups: number): Promise<string> =>
  onOwnDevice(world, name, async (device) => {
    mkdirSync(device.tree);
    await addSet(world, device);
    const unrest = await restless(device.tree);
    const told = new Map<string, number>();
    for (let i = 0; i < backups; i++) {
      const { snapshotId, skipped } = await backUp(world, device, [0, PARTLY]);
      for (const { reason } of skipped) told.set(reason, (told.get(reason) ?? 0) + 1);
      await restoredInto(world, device, ['--snapshot', snapshotId], () => {});
    }
    await unrest.end();
    const strange = [...told.keys()].filter((reason) => !REASONS.has(reason.replace('attributes: ', '')));
    assert.deepEqual(strange, [], 'a reason that is none');
    return `left out: ${[...told].map(([reason, count]) => `${count} ${reason}`).join(', ') || 'nothing'}; ${await comesBack(world, device)}`;
  });

const PARTLY = 3;
/** Gone, of another type by now, or not to be read; of the whole entry or only of its attributes. */
const REASONS: ReadonlySet<string> = new Set(['vanished', 'ENOENT', 'ENOTDIR', 'ELOOP', 'EISDIR', 'EINVAL', 'EACCES']);

async function restless(folder: string): Promise<{ end(): Promise<void> }> {
  const script = fileURLToPath(new URL('../support/unrest.ts', import.meta.url));
  const child = spawn(process.execPath, [script, folder], { stdio: ['pipe', 'pipe', 'inherit'] });
  await once(child.stdout, 'data');
  return {
    async end() {
      const ended = once(child, 'close');
      child.stdin.end();
      assert.deepEqual(await ended, [0, null]);
    },
  };
}

async function onOwnDevice(world: World, name: string, work: (device: Device) => Promise<string>): Promise<string> {
  if (!HAS_WITNESSES) return 'skipped: there is no GNU find and tar';
  const device = { name, home: join(world.folder, `home-${name}`), tree: join(world.folder, `hard-${name}`) };
  try {
    answer(await world.enrol(device));
    return await work(device);
  } finally {
    removeTree(device.home);
    removeTree(device.tree);
  }
}

async function comesBack(world: World, device: Device): Promise<string> {
  const before = witness(device.tree);
  const { skipped } = await backUp(world, device);
  const left = existsSync(join(device.tree, SOCKET)) ? [{ path: join(device.tree, SOCKET), reason: 'socket' }] : [];
  assert.deepEqual(skipped, left);
  await restoredInto(world, device, [], (tree) => requireSame(before, witness(tree)));
  assert.equal((await backUp(world, device)).kind, 'current', 'reading it has changed nothing');
  return `${before.length} facts, all as they were`;
}

type Restored = { readonly skipped: readonly unknown[]; readonly damaged: readonly unknown[] };

async function restoredInto(
  world: World,
  device: Device,
  which: readonly string[],
  look: (tree: string) => void,
): Promise<void> {
  const to = join(world.folder, `back-${device.name}`);
  mkdirSync(to);
  try {
    const args = ['restore', '--set', SET, ...which, '--to', to];
    const { skipped, damaged } = answer<Restored>(await world.onDevice(device, args));
    assert.deepEqual({ skipped, damaged }, { skipped: [], damaged: [] });
    look(join(to, device.tree));
  } finally {
    removeTree(to);
  }
}

async function addSet(world: World, { home, tree }: Device): Promise<void> {
  answer(await world.onDevice({ home }, ['sets', 'add', SET, tree, '--no-default-exclude']));
}

const backUp = async (world: World, device: Device, accept: readonly number[] = [0]): Promise<BackupReport> =>
  answer(await world.onDevice(device, ['backup', '--set', SET]), accept);

/** Says which, instead of printing both. */
function requireSame(before: readonly string[], after: readonly string[]): void {
  const had = new Set(before);
  const has = new Set(after);
  const lost = before.filter((fact) => !has.has(fact));
  const strange = after.filter((fact) => !had.has(fact));
  assert.deepEqual({ lost: lost.slice(0, 5), strange: strange.slice(0, 5) }, { lost: [], strange: [] });
}
