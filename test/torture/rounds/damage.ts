/** Bits rot on the server's disk. Verify finds it, restore names what is hurt and brings the rest, the next backup heals. */
import assert from 'node:assert/strict';
import { closeSync, openSync, readdirSync, readFileSync, readSync, statSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { PACK_STATE } from '../../../packages/server/src/storage/index/tables.ts';
import { answer } from '../../../scripts/processes.ts';
import { warningsOf } from '../support/health.ts';
import type { Random } from '../support/random.ts';
import type { Device, World } from '../support/world.ts';
import type { Round } from './round.ts';

const DAMAGED = 7;
export const ALERTED = 1;

type Entry = ReturnType<World['ledger']['all']>[number];
type Restored = { readonly damaged: readonly { readonly path: string; readonly code: string }[] };

export const damage: Round = {
  name: 'damage',
  weight: 2,
  async run(world, random) {
    const pack = random.pick(livePacks(world));
    const at = flipBit(pack, random);
    const text = `bit at ${at} of ${statSync(pack).size}`;
    return `${text}, ${await isFoundAndHealed(world)}`;
  },
};

/**
 * Files of the packs that are in use, in a stable order: what compaction has replaced is not looked at any more, and to an archive
 * whose devices were given up nobody sends again what is damaged.
 */
export function livePacks(world: World): string[] {
  const index = new DatabaseSync(join(world.data, 'index.db'), { readOnly: true });
  const rows = index
    .prepare('select lower(hex(id)) as id from packs where state = ? and rows > 0')
    .all(PACK_STATE.live);
  index.close();
  const live = new Set(rows.map((row) => row['id']));
  return [...new Set(world.devices.map(archiveOf))]
    .flatMap((archive) =>
      readdirSync(join(world.storeDir, 'archives', archive), { recursive: true, withFileTypes: true }),
    )
    .filter((entry) => entry.isFile() && live.has(entry.name))
    .map(({ parentPath, name }) => join(parentPath, name))
    .sort();
}

function archiveOf({ home }: Device): string {
  const device = JSON.parse(readFileSync(join(home, 'state/device.json'), 'utf8')) as { archive: { id: string } };
  return device.archive.id;
}

/** Somewhere in the first `share` of a file. Returns where. */
export function flipBit(path: string, random: Random, share = 1): number {
  const at = random.below(Math.ceil(statSync(path).size * share));
  const byte = Buffer.alloc(1);
  const fd = openSync(path, 'r+');
  readSync(fd, byte, 0, 1, at);
  byte[0] = (byte[0] as number) ^ (1 << random.below(8));
  writeSync(fd, byte, 0, 1, at);
  closeSync(fd);
  return at;
}

const HOUR = 3_600_000;

export async function isFoundAndHealed(world: World): Promise<string> {
  const found = await world.maintain('verify', [ALERTED]);
  assert.ok(
    found.events.some(({ kind, alert }) => kind === 'alert' && alert === 'packs_damaged'),
    'verify names the damaged pack',
  );
  const isLost = found.events.some(({ kind, alert }) => kind === 'alert' && alert === 'chunks_lost');
  assert.equal((await warningsOf(world.server)).includes('chunks_lost'), isLost, 'health says what verify found');
  let hurt = 0;
  for (const { name } of world.devices) hurt += await restoresTheRest(world, world.ledger.newest(name));
  const kinds: string[] = [];
  for (const device of world.devices) kinds.push((await world.backup(device)).kind);
  for (const { name } of world.devices) await world.restores(world.ledger.newest(name) as Entry);
  const lost = await dropWhatIsLost(world);
  const left = await damagedPacksLeft(world);
  return `${hurt} files hurt, healed by ${kinds.join(' and ')}, ${lost} older snapshots stay hurt, ${left} packs`;
}

/** Returns how many paths were reported as damaged. Whoever was linked to one of them may be alone now. */
export async function restoresTheRest(world: World, entry: Entry | undefined): Promise<number> {
  assert.ok(entry);
  const reader = world.readerOf(entry);
  const to = world.newFolder();
  const ended = await world.onDevice(reader, world.restoreArgs(reader, entry, to));
  const { damaged } = answer<Restored>(ended, [0, DAMAGED]);
  assert.equal(ended.code, damaged.length > 0 ? DAMAGED : 0);
  for (const { code } of damaged) assert.match(code, /^[a-z_]+$/);
  const isHurt = (path: string): boolean => isBelow(world, entry, path, damaged);
  const unexplained = world
    .differences(entry, to)
    .filter(({ path, fact, expected }) => !isHurt(path) && !(fact === 'links' && expected.split('\n').some(isHurt)));
  assert.deepEqual(unexplained, [], 'all that is not reported as damaged is equal');
  world.discard(to);
  return damaged.length;
}

/** A folder whose entry could not be read is reported once, for all that is in it. */
function isBelow(world: World, { device }: Entry, path: string, damaged: Restored['damaged']): boolean {
  const full = join(world.treeOf(device), Buffer.from(path, 'latin1').toString('utf8'));
  return damaged.some((each) => full === each.path || full.startsWith(each.path.replace(/\/?$/, '/')));
}

/** Older snapshots may have needed what no device has any more: that stays lost, and is reported. Returns how many. */
export async function dropWhatIsLost(world: World): Promise<number> {
  let lost = 0;
  for (const entry of world.ledger.all()) {
    if (entry.snapshot === world.ledger.newest(entry.device)?.snapshot) continue;
    if ((await restoresTheRest(world, entry)) === 0) continue;
    world.ledger.drop(entry.snapshot);
    lost += 1;
  }
  return lost;
}

/**
 * When collect has been there, a damaged pack is gone unless an old snapshot or a deleted file needs something of it that no
 * device has any more. Returns how many are left.
 */
export async function damagedPacksLeft(world: World): Promise<number> {
  await world.advance(2 * HOUR);
  await world.maintain('collect');
  const { results, summary } = await world.maintain('verify');
  assert.equal(summary.alerts, 0, 'nothing new is damaged');
  const left = results['verify']?.['damagedPacks'] ?? Number.NaN;
  assert.ok(left <= world.damagedPacks + 1, `${left} damaged packs are left`);
  world.damagedPacks = left;
  return left;
}
