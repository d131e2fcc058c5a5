/** Something rots, and a process dies while it is found, restored around or healed: what is left heals all the same. */
import assert from 'node:assert/strict';
import { statSync } from 'node:fs';
import { answer } from '../../../scripts/processes.ts';
import { type Death, type End, someEnd } from '../faults/faults.ts';
import type { Random } from '../support/random.ts';
import type { Device, World } from '../support/world.ts';
import { ALERTED, damagedPacksLeft, dropWhatIsLost, flipBit, livePacks, restoresTheRest } from './damage.ts';
import { backupDies } from './kill-agent.ts';
import { surviving } from './kill-server.ts';
import type { Round } from './round.ts';

/** Whose end comes in it; nobody else's. */
export type DamageVictim = 'verify' | 'restore' | 'backup' | 'server';
const VICTIMS: readonly DamageVictim[] = ['verify', 'restore', 'backup', 'server'];

const DAMAGED = 7;
const OFFLINE = 5;
const LOST = 'insert.* lost';
const MOMENTS: Readonly<Record<DamageVictim, Readonly<Record<string, Death>>>> = {
  verify: { 'before it stands in the index': { step: 'statement', nth: 1, when: 'before', about: LOST } },
  restore: { 'when it has reported': { step: 'request', nth: 1, when: 'after', about: '/lost$' } },
  backup: { 'when it has sent what was lost': { step: 'request', nth: 1, when: 'after', about: '^PUT .*/packs/' } },
  server: { 'when what was lost is there again': { step: 'rename', nth: 1, when: 'after', about: '/packs/' } },
};

export const killInDamage: Round = {
  name: 'kill-in-damage',
  weight: 2,
  async run(world, random) {
    const victim = random.pick(VICTIMS);
    const tookMs = { ...world.took, verify: world.took.maintain, server: world.took.backup }[victim];
    const { end, text } = someEnd(random, tookMs, ['write', 'statement', 'request', 'rename'], MOMENTS[victim]);
    return `${victim}: ${text}, ${await diesInDamage(world, random, victim, end)}`;
  },
};

export async function diesInDamage(world: World, random: Random, victim: DamageVictim, end: End): Promise<string> {
  const [largest] = livePacks(world).sort((a, b) => statSync(b).size - statSync(a).size);
  flipBit(largest as string, random, 0.5); // content; trees come after it
  const deaths = { verify: false, restore: false, backup: false, server: false };
  deaths.verify = await verify(world, victim === 'verify' ? end : {});
  deaths.restore = await restore(world, victim === 'restore' ? end : {});
  if (victim === 'server') deaths.server = await serverDies(world, end);
  if (victim === 'backup') deaths.backup = await backup(world, end);
  for (const device of world.devices) await world.backup(device);
  for (const { name } of world.devices) await world.restores(newest(world, name));
  const lost = await dropWhatIsLost(world);
  const left = await damagedPacksLeft(world);
  return `${deaths[victim] ? 'died' : 'ended before'}, ${lost} older snapshots stay hurt, ${left} packs`;
}

type Entry = NonNullable<ReturnType<World['ledger']['newest']>>;

function newest(world: World, device: string): Entry {
  const entry = world.ledger.newest(device);
  assert.ok(entry);
  return entry;
}

/** What the first one had found when it died, the second one need not tell again. */
async function verify(world: World, end: End): Promise<boolean> {
  const first = await world.onServer(['maintain', 'verify'], end);
  if (first.signal !== 'SIGKILL') {
    answer(first, [ALERTED]);
    return false;
  }
  await world.afterTakeOver();
  const { results } = await world.maintain('verify', [0, ALERTED]);
  assert.ok((results['verify']?.['damagedPacks'] ?? 0) > 0, 'verify knows of the damaged pack');
  return true;
}

/** The first one may die; the second one brings all that is whole. */
async function restore(world: World, end: End): Promise<boolean> {
  let died = false;
  for (const { name } of world.devices) {
    const entry = newest(world, name);
    died ||= await restoreOnce(world, world.readerOf(entry), entry, end);
    await restoresTheRest(world, entry);
  }
  return died;
}

/** Not every device needs what is lost. */
async function backup(world: World, end: End): Promise<boolean> {
  let died = false;
  for (const device of world.devices) died ||= (await backupDies(world, device, end)).startsWith('died');
  return died;
}

async function restoreOnce(world: World, reader: Device, entry: Entry, end: End): Promise<boolean> {
  const to = world.newFolder();
  const ended = await world.onDevice(reader, world.restoreArgs(reader, entry, to), end);
  if (ended.signal !== 'SIGKILL') answer(ended, [0, OFFLINE, DAMAGED]);
  world.discard(to);
  return ended.signal === 'SIGKILL';
}

/** It dies while a device reports what is lost, or sends it again. */
async function serverDies(world: World, end: End): Promise<boolean> {
  const [device] = world.devices as [Device];
  const entry = newest(world, device.name);
  const manifest = world.manifest(device);
  const { died } = await surviving(world, end, async () => {
    await restoreOnce(world, device, entry, {});
    await world.disturbedBackup(device, {}, [0, OFFLINE]);
  });
  await world.adopt(device, manifest);
  return died;
}
