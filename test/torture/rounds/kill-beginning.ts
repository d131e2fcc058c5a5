/** A server dies in its very first start, a device in its enrolment: the same command again ends it. */
import assert from 'node:assert/strict';
import { existsSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { EXIT } from '../../../packages/agent/src/cli/exit-codes.ts';
import { answer, type Ended } from '../../../scripts/processes.ts';
import { type Death, type End, someEnd } from '../faults/faults.ts';
import { requireTidyHome, requireWholeFiles } from '../support/leftovers.ts';
import type { Device, World } from '../support/world.ts';
import type { Round } from './round.ts';

const SERVER_STEPS = ['write', 'sync', 'rename', 'mkdir', 'statement', 'commit'] as const;
const SERVER_MOMENTS: Readonly<Record<string, Death>> = {
  'before the keystore is there': { step: 'rename', nth: 1, when: 'before', about: 'keystore$' },
  'when the keystore is there': { step: 'rename', nth: 1, when: 'after', about: 'keystore$' },
  'between its first migrations': { step: 'commit', nth: 2, when: 'before' },
  'before the kit is there': { step: 'rename', nth: 1, when: 'before', about: 'recovery-kit' },
  'when the kit is there': { step: 'rename', nth: 1, when: 'after', about: 'recovery-kit' },
};

export const killFirstStart: Round = {
  name: 'kill-first-start',
  weight: 1,
  async run(world, random) {
    const { end, text } = someEnd(random, world.took.start, SERVER_STEPS, SERVER_MOMENTS);
    return `${text}, ${await firstStartDies(world, end)}`;
  },
};

/** One died there before, with half a keystore. */
export async function firstStartDies(world: World, end: End): Promise<string> {
  const data = mkdtempSync(join(world.folder, 'another server '));
  mkdirSync(join(data, '.keystore.0123456789ab.tmp'));
  const died = await world.startOnce(data, end);
  assert.equal(await world.startOnce(data, {}), false);
  requireWholeFiles(data);
  assert.ok(existsSync(join(data, 'recovery-kit.age')), 'the kit is made in the end');
  rmSync(data, { recursive: true });
  return died ? 'died' : 'ended before';
}

const DEVICE_STEPS = ['write', 'sync', 'rename', 'mkdir', 'request'] as const;
const DEVICE_MOMENTS: Readonly<Record<string, Death>> = {
  'when the server knows it and it does not know it': { step: 'request', nth: 1, when: 'after', about: '^POST ' },
  'when it has the key': { step: 'rename', nth: 1, when: 'after', about: 'identity' },
  'before it is on the list of devices': { step: 'request', nth: 1, when: 'before', about: '^PUT .*/devices/' },
  'when it is on the list of devices': { step: 'request', nth: 1, when: 'after', about: '^PUT .*/devices/' },
};

export const killEnrolment: Round = {
  name: 'kill-enrolment',
  weight: 2,
  async run(world, random) {
    const { end, text } = someEnd(random, world.took.enrol, DEVICE_STEPS, DEVICE_MOMENTS);
    const name = `late ${random.below(2 ** 32).toString(36)}`;
    const isFirst = random.chance(0.5);
    const what = await enrolmentDies(world, name, end, isFirst);
    return `${isFirst ? 'the first of a user' : 'another of a user'}: ${text}, ${what}`;
  },
};

/** The first device of a user makes the archive, others join it. Afterwards it backs up, and restores. */
export async function enrolmentDies(world: World, name: string, end: End, isFirst: boolean): Promise<string> {
  const device = world.newDevice(name);
  const user = isFirst ? await world.newUser(`user of ${name}`.replaceAll(' ', '-')) : undefined;
  const first = await world.enrol(device, end, user);
  if (first.signal === 'SIGKILL') requireEnrolled(await world.enrol(device, {}, user));
  else answer(first);
  requireTidyHome(device.home);
  await world.takeIn(device);
  const entry = world.ledger.newest(name);
  assert.ok(entry);
  await world.restores(entry, isFirst ? device : world.devices[0]);
  if (isFirst) world.ledger.drop(entry.snapshot); // nobody else sees it
  world.forget(device);
  return first.signal === 'SIGKILL' ? 'died' : 'ended before';
}

/** It may have died after the last step, when nothing was left but to tell. */
function requireEnrolled(again: Ended): void {
  if (again.code === EXIT.usage && again.stdout.includes('"already_enrolled"')) return;
  answer(again);
}

/** The server dies while the first device of a new user enrols; it is started again, and so is the enrolment. */
export async function serverDiesInEnrolment(world: World, name: string, death: Death): Promise<string> {
  const device = world.newDevice(name);
  const user = await world.newUser(`user of ${name}`.replaceAll(' ', '-'));
  await world.stopServer();
  const started = await world.startServerOrDie(death);
  const first = started ? await world.enrol(device, {}, user) : undefined;
  const died = !started || (await world.isServerDead());
  await world.stopServer(died ? 'SIGKILL' : 'SIGTERM');
  await world.startServer();
  if (first?.code !== 0) answer(await world.enrol(device, {}, user));
  await backsUpAlone(world, device);
  return died ? 'died' : 'lived on';
}

/** Its first backup restores; nobody else sees it. */
async function backsUpAlone(world: World, device: Device): Promise<void> {
  requireTidyHome(device.home);
  await world.takeIn(device);
  const entry = world.ledger.newest(device.name);
  assert.ok(entry);
  await world.restores(entry, device);
  world.ledger.drop(entry.snapshot);
  world.forget(device);
}
