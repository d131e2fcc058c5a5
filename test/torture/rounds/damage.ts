/** Bits rot on the server's disk. Verify finds it, restore names what is hurt and brings the rest, the next backup heals. */
import assert from 'node:assert/strict';
import { closeSync, openSync, readdirSync, readSync, statSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { answer } from '../../../scripts/processes.ts';
import type { Random } from '../support/random.ts';
import type { Device, World } from '../support/world.ts';
import type { Round } from './round.ts';

const DAMAGED = 7;
const ALERTED = 1;

type Entry = ReturnType<World['ledger']['all']>[number];
type Restored = { readonly damaged: readonly { readonly path: string; readonly code: string }[] };

export const damage: Round = {
  name: 'damage',
  weight: 2,
  async run(world, random) {
    const pack = random.pick(packsOf(world));
    const at = flipBit(pack, random);
    const text = `bit at ${at} of ${statSync(pack).size}`;
    return `${text}, ${await isFoundAndHealed(world)}`;
  },
};

/** Packs in the store point, in a stable order. */
export function packsOf(world: World): string[] {
  return readdirSync(join(world.storeDir, 'archives'), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && /\/packs\//.test(entry.parentPath))
    .map(({ parentPath, name }) => join(parentPath, name))
    .sort();
}

/** Returns where. */
export function flipBit(path: string, random: Random): number {
  const at = random.below(statSync(path).size);
  const byte = Buffer.alloc(1);
  const fd = openSync(path, 'r+');
  readSync(fd, byte, 0, 1, at);
  byte[0] = (byte[0] as number) ^ (1 << random.below(8));
  writeSync(fd, byte, 0, 1, at);
  closeSync(fd);
  return at;
}

export async function isFoundAndHealed(world: World): Promise<string> {
  const found = await world.maintain('verify', [ALERTED]);
  assert.ok(
    found.events.some(({ kind, alert }) => kind === 'alert' && alert === 'packs_damaged'),
    'verify names the damaged pack',
  );
  let hurt = 0;
  for (const { name } of world.devices) hurt += await restoresTheRest(world, world.ledger.newest(name));
  const kinds: string[] = [];
  for (const device of world.devices) kinds.push((await world.backup(device)).kind);
  for (const { name } of world.devices) await world.restores(world.ledger.newest(name) as Entry);
  await requireCleanVerify(world);
  await dropWhatIsLost(world);
  return `${hurt} files hurt, healed by ${kinds.join(' and ')}`;
}

/** Returns how many paths were reported as damaged. */
async function restoresTheRest(world: World, entry: Entry | undefined): Promise<number> {
  assert.ok(entry);
  const device = world.device(entry.device);
  const to = world.newFolder();
  const ended = await world.onDevice(device, world.restoreArgs(device, entry, to));
  const { damaged } = answer<Restored>(ended, [0, DAMAGED]);
  assert.equal(ended.code, damaged.length > 0 ? DAMAGED : 0);
  for (const { code } of damaged) assert.match(code, /^[a-z_]+$/);
  const unexplained = world.differences(entry, to).filter(({ path }) => !isBelow(world, device, path, damaged));
  assert.deepEqual(unexplained, [], 'all that is not reported as damaged is equal');
  world.discard(to);
  return damaged.length;
}

/** A folder whose entry could not be read is reported once, for all that is in it. */
function isBelow(world: World, { tree }: Device, path: string, damaged: Restored['damaged']): boolean {
  const full = join(tree, Buffer.from(path, 'latin1').toString('utf8'));
  return damaged.some((each) => full === each.path || full.startsWith(`${each.path}/`) || each.path === world.folder);
}

async function requireCleanVerify(world: World): Promise<void> {
  const { results } = await world.maintain('verify');
  assert.equal(results['verify']?.['damagedPacks'], 0, 'verify is clean after the next backups');
}

/** Older snapshots may have needed what no device has any more: that stays lost, and is reported. */
async function dropWhatIsLost(world: World): Promise<void> {
  for (const entry of world.ledger.all()) {
    if (entry === world.ledger.newest(entry.device)) continue;
    if ((await restoresTheRest(world, entry)) > 0) world.ledger.drop(entry.snapshot);
  }
}
