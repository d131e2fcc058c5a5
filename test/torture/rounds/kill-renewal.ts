/** A device was removed, and whoever renews the keys dies at it: the next backup ends it, and the other device follows. */
import assert from 'node:assert/strict';
import { answer } from '../../../scripts/processes.ts';
import type { Death, End } from '../faults/faults.ts';
import type { Random } from '../support/random.ts';
import { changeTree } from '../support/tree.ts';
import type { Device, World } from '../support/world.ts';
import type { Round } from './round.ts';

const DONE = 0;
const OFFLINE = 5;

/** What dies at which moment, in words and as a death. */
export const DEATHS = {
  agent: {
    'when one of its key files is stored': { step: 'request', nth: 1, when: 'after', about: '^PUT .*/keys/' },
    'before the authority hears of it': { step: 'request', nth: 1, when: 'before', about: '^POST .*/archive/identity' },
    'when the authority has taken it': { step: 'request', nth: 1, when: 'after', about: '^POST .*/archive/identity' },
    'when the pin names it': { step: 'rename', nth: 1, when: 'after', about: 'device\\.json$' },
  },
  server: {
    'before that is committed': { step: 'statement', nth: 1, when: 'after', about: 'update "archives"' },
  },
} as const satisfies Record<string, Readonly<Record<string, Death>>>;

export const killRenewal: Round = {
  name: 'kill-renewal',
  weight: 1,
  async run(world, random) {
    const moments = [...Object.entries<Death>(DEATHS.agent), ...Object.entries<Death>(DEATHS.server)];
    const [moment, death] = random.pick(moments);
    const what =
      moment in DEATHS.server
        ? await serverDiesInRenewal(world, random, death)
        : await renewalDies(world, random, { death });
    return `${moment}: ${what}`;
  },
};

export async function renewalDies(world: World, random: Random, end: End): Promise<string> {
  const guest = await removedDevice(world, random);
  const [renews] = world.devices as [Device];
  changeTree(renews.tree, random);
  const manifest = world.manifest(renews);
  const first = await world.disturbedBackup(renews, end);
  await world.adopt(renews, manifest);
  await requireRenewed(world, random, guest);
  return first.signal === 'SIGKILL' ? 'died' : 'ended before';
}

export async function serverDiesInRenewal(world: World, random: Random, death: Death): Promise<string> {
  const guest = await removedDevice(world, random);
  const [renews] = world.devices as [Device];
  changeTree(renews.tree, random);
  const manifest = world.manifest(renews);
  await world.stopServer();
  const started = await world.startServerOrDie(death);
  await world.disturbedBackup(renews, {}, [DONE, OFFLINE]);
  const died = !started || (await world.isServerDead());
  await world.stopServer(died ? 'SIGKILL' : 'SIGTERM');
  await world.startServer();
  await world.adopt(renews, manifest);
  await requireRenewed(world, random, guest);
  return died ? 'died' : 'lived on';
}

/** It had the keys for a moment. */
async function removedDevice(world: World, random: Random): Promise<string> {
  const name = `guest ${random.below(2 ** 32).toString(36)}`;
  const guest = world.newDevice(name);
  answer(await world.enrol(guest));
  const { device } = answer<{ device: { id: string } }>(await world.onDevice(guest, ['status']));
  answer(await world.onServer(['device', 'revoke', device.id]));
  return name;
}

type Shown = { fingerprint: string; devices: { name: string; removed: number | null }[] };

async function requireRenewed(world: World, random: Random, guest: string): Promise<void> {
  const shown: Shown[] = [];
  for (const device of world.devices) {
    changeTree(device.tree, random);
    await world.backup(device);
    const { renewal } = answer<{ renewal: unknown }>(await world.onDevice(device, ['status']));
    assert.equal(renewal, null);
    shown.push(answer<Shown>(await world.onDevice(device, ['key', 'show'])));
  }
  const [renews, follows] = world.devices as [Device, Device];
  const newest = world.ledger.newest(renews.name);
  assert.ok(newest);
  await world.restores(newest, follows);
  assert.equal(new Set(shown.map(({ fingerprint }) => fingerprint)).size, 1, 'all have the same keys');
  for (const { devices } of shown) assert.ok(devices.find(({ name }) => name === guest)?.removed, `${guest} is out`);
}
