/** A round for each named place: a program dies there, and what its scenario promises is checked. */
import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Death, Step } from '../faults/faults.ts';
import { lineOf, NAMED, type NamedPlace, PROGRAM_OF, SCENARIOS, type ScenarioName } from '../faults/named.ts';
import type { Random } from '../support/random.ts';
import { changeTree, rewriteLarge } from '../support/tree.ts';
import type { Device, World } from '../support/world.ts';
import { BACKUP_MOMENTS, backupDies, RESTORE_MOMENTS, restoreDies } from './kill-agent.ts';
import { enrolmentDies, firstStartDies, serverDiesInEnrolment } from './kill-beginning.ts';
import { DAEMON_MOMENTS, daemonDies } from './kill-daemon.ts';
import { diesInDamage } from './kill-in-damage.ts';
import { renewalDies, serverDiesInRenewal } from './kill-renewal.ts';
import {
  MAINTENANCE_MOMENTS,
  maintenanceDies,
  SERVER_MOMENTS,
  serverDies,
  serverDiesByTheClock,
} from './kill-server.ts';
import { dumpDies, enablingDies, recoverDies, reindexDies } from './rebuild.ts';
import type { Round } from './round.ts';

type Scenario = (world: World, random: Random, death: Death) => Promise<string>;

const LARGE_BYTES = 20_000_000;
const HOUR = 3_600_000;
/** ms; the server notes that it has seen a device again. */
const LONG_UNSEEN = 5 * 60_000;

const RUNS: Readonly<Record<ScenarioName, Scenario>> = {
  firstStart: (world, _, death) => firstStartDies(world, { death }),
  ingest: async (world, random, death) => {
    await world.advance(LONG_UNSEEN);
    return serverDies(world, [await busy(world, random)], { death });
  },
  enrolling: (world, random, death) => serverDiesInEnrolment(world, newName(random), death),
  hourly: (world, random, death) => serverDiesByTheClock(world, random, death),
  maintain: async (world, random, death) => {
    const [writer, reader] = await withGarbage(world, random);
    return maintenanceDies(world, writer, reader, { death });
  },
  backup: async (world, random, death) => backupDies(world, await busy(world, random), { death }),
  backupWithoutCache: async (world, random, death) => {
    const device = await busy(world, random);
    rmSync(join(device.home, 'cache'), { recursive: true });
    return backupDies(world, device, { death });
  },
  daemon: (world, random, death) => daemonDies(world, random.pick(world.devices), random, { death }),
  restore: (world, random, death) =>
    restoreDies(world, random.pick(world.devices), random.pick(world.ledger.all()), { death }),
  restoreAgain: (world, random, death) =>
    restoreDies(
      world,
      random.pick(world.devices),
      random.pick(world.ledger.all()),
      { death },
      RESTORE_MOMENTS['in the middle of a file'],
    ),
  restoreOfDamage: (world, random, death) => diesInDamage(world, random, 'restore', { death }),
  findingDamage: (world, random, death) => diesInDamage(world, random, 'verify', { death }),
  healing: (world, random, death) => diesInDamage(world, random, 'backup', { death }),
  serverInHealing: (world, random, death) => diesInDamage(world, random, 'server', { death }),
  renewal: (world, random, death) => renewalDies(world, random, { death }),
  serverInRenewal: (world, random, death) => serverDiesInRenewal(world, random, death),
  restoreAfterEnrolment: async (world, random, death) => {
    const reader = random.pick(world.devices);
    const stranger = await world.addDevice(newName(random));
    writeFileSync(join(reader.home, 'state', 'trust.json.4194304-0.tmp'), 'of one that died before');
    const what = await restoreDies(world, reader, random.pick(world.ledger.all()), { death });
    world.forget(stranger);
    return what;
  },
  enrol: (world, random, death) => enrolmentDies(world, newName(random), { death }, true),
  join: (world, random, death) => enrolmentDies(world, newName(random), { death }, false),
  enable: (world, _, death) => enablingDies(world, { death }),
  reindex: (world, random, death) => reindexDies(world, random, { death }),
  recover: (world, random, death) => recoverDies(world, random, { death }),
  dump: (world, _, death) => dumpDies(world, { death }),
};

async function busy(world: World, random: Random): Promise<Device> {
  const device = random.pick(world.devices);
  changeTree(device.tree, random);
  rewriteLarge(device.tree, LARGE_BYTES, random);
  return device;
}

/** Snapshots that a later one stands for, packs that nobody needs and packs of which a part is dead, all older than an hour. */
async function withGarbage(world: World, random: Random): Promise<[Device, Device]> {
  const [writer, reader] = random.shuffled(world.devices) as [Device, Device];
  for (let i = 0; i < 2; i++) {
    changeTree(writer.tree, random);
    rewriteLarge(writer.tree, LARGE_BYTES, random);
    await world.backup(writer);
  }
  await world.advance(random.pick([2, 26]) * HOUR);
  return [writer, reader];
}

const newName = (random: Random): string => `late ${random.below(2 ** 32).toString(36)}`;

/** Moments with more of a story than a place. */
const STORIES: Readonly<Partial<Record<ScenarioName, Readonly<Record<string, Death>>>>> = {
  ingest: SERVER_MOMENTS,
  maintain: MAINTENANCE_MOMENTS,
  backup: BACKUP_MOMENTS,
  daemon: DAEMON_MOMENTS,
  restore: RESTORE_MOMENTS,
};

export const MOMENTS: readonly Round[] = [
  ...NAMED.map(atPlace),
  ...SCENARIOS.flatMap((scenario) =>
    Object.entries(STORIES[scenario] ?? {}).map(([name, death]) => moment(scenario, name, () => death)),
  ),
];

export function atPlace({ scenario, place }: NamedPlace): Round {
  const step = place.split(' ')[0] as Step;
  const whens =
    step === 'write' || step === 'request' ? (['before', 'half', 'after'] as const) : (['before', 'after'] as const);
  return moment(scenario, place, (random) => ({
    step,
    nth: 1,
    when: random.pick(whens),
    place: `${PROGRAM_OF[scenario]} ${place}`,
  }));
}

function moment(scenario: ScenarioName, place: string, deathOf: (random: Random) => Death): Round {
  const name = lineOf({ scenario, place });
  return {
    name,
    weight: 1,
    async run(world, random) {
      const death = { ...deathOf(random), name };
      return `${death.when}, ${await RUNS[scenario](world, random, death)}`;
    },
  };
}
