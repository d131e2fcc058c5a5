/** Everything that file systems hold comes back as other programs see it, or is listed with the reason. */
import assert from 'node:assert/strict';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
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
    return everythingComesBack(world, name, LONG);
  },
};

/** By a device of its own, which nobody else asks for what it has stored. */
export async function everythingComesBack(world: World, name: string, size: HardTreeSize): Promise<string> {
  if (!HAS_WITNESSES) return 'skipped: there is no GNU find and tar';
  const device = { name, home: join(world.folder, `home-${name}`), tree: join(world.folder, `hard-${name}`) };
  try {
    answer(await world.enrol(device));
    makeHardTree(device.tree, size);
    return await comesBack(world, device);
  } finally {
    removeTree(device.home);
    removeTree(device.tree);
  }
}

async function comesBack(world: World, device: Device): Promise<string> {
  answer(await world.onDevice(device, ['sets', 'add', SET, device.tree, '--no-default-exclude']));
  const before = witness(device.tree);
  const { skipped } = await backUp(world, device);
  assert.deepEqual(skipped, [{ path: join(device.tree, SOCKET), reason: 'socket' }]);
  const to = join(world.folder, `back-${device.name}`);
  mkdirSync(to);
  try {
    const restored = answer<Restored>(await world.onDevice(device, ['restore', '--set', SET, '--to', to]));
    assert.deepEqual({ skipped: restored.skipped, damaged: restored.damaged }, { skipped: [], damaged: [] });
    requireSame(before, witness(join(to, device.tree)));
  } finally {
    removeTree(to);
  }
  assert.equal((await backUp(world, device)).kind, 'current', 'reading it has changed nothing');
  return `${before.length} facts, all as they were`;
}

type Restored = { readonly skipped: readonly unknown[]; readonly damaged: readonly unknown[] };

const backUp = async (world: World, device: Device): Promise<BackupReport> =>
  answer(await world.onDevice(device, ['backup', '--set', SET]));

/** Says which, instead of printing both. */
function requireSame(before: readonly string[], after: readonly string[]): void {
  const had = new Set(before);
  const has = new Set(after);
  const lost = before.filter((fact) => !has.has(fact));
  const strange = after.filter((fact) => !had.has(fact));
  assert.deepEqual({ lost: lost.slice(0, 5), strange: strange.slice(0, 5) }, { lost: [], strange: [] });
}
