/**
 * A year of a device: each simulated day a hundredth of the files changes, a version is made, and the server does its nightly
 * maintenance; only the newest snapshot is kept, and deleted files for a day. Then the same tree is stored anew, by another device on
 * another server: what the year costs is the difference.
 *
 * Server and agent are the real ones, over TLS, in this process so that they can be given a clock.
 */
import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { enrolledDevice, type TestDevice } from '../../packages/agent/src/testing/device-world.ts';
import { archivePolicy } from '../../packages/server/src/archive-policy.ts';
import { settingsOf } from '../../packages/server/src/authority/settings/settings.ts';
import { createLog } from '../../packages/server/src/http/log.ts';
import { createStorage, type Storage } from '../../packages/server/src/storage/storage.ts';
import { openStorageRole, storageOptions } from '../../packages/server/src/storage-role.ts';
import { startTestServer, type TestServer } from '../../packages/server/src/testing/test-server.ts';
import { HOLDFAST } from '../../scripts/processes.ts';
import { environmentOf } from '../../test/torture/faults/faults.ts';
import { Random } from '../../test/torture/support/random.ts';
import { sizeOf } from '../folders.ts';
import { makeSmallFiles, Words } from '../made-tree.ts';
import { measure, median } from '../measure.ts';
import { empty } from '../sides/side.ts';
import { type Bench, type Sample, scaled, type Work } from '../work.ts';

const DAY_MS = 24 * 3_600_000;
const DAYS = 365;
const FILES = { files: 20_000, perFolder: 50, min: 100, max: 16_000 };
const CHANGED_A_DAY = 0.01;
const RESTORES = 5;
const LAST_NIGHTS = 30;
/** Nothing but the newest; a day is the shortest time for deleted files. */
const RETENTION = { steps: [{ everyMinutes: 24 * 60, untilDays: 1 }], deletedDays: 1 };
const SET = 'aged';

type Clock = { now: number };
type Place = { readonly server: TestServer; readonly device: TestDevice; readonly clock: Clock };

export const aged: Work = {
  name: 'aged',
  rows: ['aged-size', 'aged-size-most', 'aged-restore'],
  needsTree: false,
  repeats: false,
  onlyFor: null,
  async run(bench) {
    const tree = join(bench.folder, 'tree');
    const files = makeSmallFiles(tree, { ...FILES, files: scaled(bench, FILES.files, 100) });
    const clock = { now: Date.now() };
    const old = await newPlace(join(bench.folder, 'old'), tree, clock);
    try {
      const nights = await year(bench, old, files);
      // A server that begins in the future has a certificate that nobody accepts yet
      const fresh = await newPlace(join(bench.folder, 'fresh'), tree, { now: Date.now() });
      try {
        await backUp(fresh);
        return [...sizes(nights, storeOf(fresh)), await restoreTimes(bench, old, fresh)];
      } finally {
        await fresh.server.close();
      }
    } finally {
      await old.server.close();
    }
  },
};

async function newPlace(folder: string, tree: string, clock: Clock): Promise<Place> {
  empty(folder);
  const now = (): number => clock.now;
  const server = await startTestServer({ dataDir: join(folder, 'server'), now });
  await setRetention(server);
  const device = await enrolledDevice(folder, server, { now });
  await device.json('sets', 'add', SET, tree, '--no-default-exclude');
  return { server, device, clock };
}

/** As an administrator sets it for all devices. */
async function setRetention({ server }: TestServer): Promise<void> {
  const { kysely } = server.foundation.context.database;
  const { revision, ...value } = await settingsOf(kysely);
  const sets = value.sets.map((set) => ({ ...set, retention: RETENTION }));
  const changed = { value: JSON.stringify({ ...value, sets }), revision: revision + 1 };
  await kysely.updateTable('settings').set(changed).execute();
}

const backUp = ({ device }: Place): Promise<unknown> => device.json('backup', '--set', SET);

/** Returns the bytes stored after each night's maintenance. */
async function year(bench: Bench, place: Place, files: string[]): Promise<number[]> {
  const storage = await maintainer(place);
  const random = new Random('a year');
  const words = new Words(random.fork('words'));
  const days = scaled(bench, DAYS, 3);
  const nights: number[] = [];
  try {
    await backUp(place);
    for (let day = 1; day <= days; day++) {
      place.clock.now += DAY_MS;
      change(files, random, words);
      await backUp(place);
      const { failed, alerts, waiting, skipped } = await storage.maintenance.run('all');
      if (failed + alerts + waiting + skipped > 0) throw new Error(`maintenance of day ${day} did not do all`);
      nights.push(storeOf(place));
      if (day % 30 === 0) bench.say(`day ${day} of ${days}, ${(storeOf(place) / 1e6).toFixed(1)} MB stored`);
    }
    return nights;
  } finally {
    await storage.close();
  }
}

/** What the server's own clockwork starts at night, beside the running server as `holdfast-server maintain` is. */
async function maintainer({ server: { server, config }, clock }: Place): Promise<Storage> {
  const { keystore, context } = server.foundation;
  const log = createLog('silent');
  const role = await openStorageRole(config, keystore, { now: () => clock.now, log });
  const policyOf = async () => archivePolicy(await settingsOf(context.database.kysely));
  const storage = await createStorage({ ...storageOptions(role), policyOf });
  await storage.ready;
  return storage;
}

/** Most are written anew; one in ten goes, and another comes. */
function change(files: string[], random: Random, words: Words): void {
  const count = Math.max(1, Math.round(files.length * CHANGED_A_DAY));
  for (let n = 0; n < count; n++) {
    const at = random.below(files.length);
    const path = files[at] as string;
    const isReplaced = random.chance(0.1);
    const next = isReplaced ? path.replace(/( \w+)?$/, ` ${random.below(2 ** 32).toString(36)}`) : path;
    if (isReplaced) rmSync(path);
    writeFileSync(next, words.next(FILES.min, FILES.max));
    files[at] = next;
  }
}

const storeOf = ({ server }: Place): number => sizeOf(server.config.storeDir);

/** What compaction replaced stays readable for a day, so that single nights tell more of that than of the year. */
function sizes(nights: readonly number[], fresh: number): Sample[] {
  const last = nights.slice(-LAST_NIGHTS);
  const mean = last.reduce((sum, bytes) => sum + bytes, 0) / last.length;
  return [
    { row: 'aged-size', ours: mean / fresh, beside: {} },
    { row: 'aged-size-most', ours: Math.max(...nights) / fresh, beside: {} },
  ];
}

async function restoreTimes(bench: Bench, old: Place, fresh: Place): Promise<Sample> {
  const seconds = { old: [] as number[], fresh: [] as number[] };
  for (let n = 1; n <= scaled(bench, RESTORES); n++) {
    seconds.old.push(await restore(old, join(bench.folder, `old restored ${n}`)));
    seconds.fresh.push(await restore(fresh, join(bench.folder, `fresh restored ${n}`)));
  }
  const [oldTime, freshTime] = [median(seconds.old), median(seconds.fresh)];
  bench.say(`restored in ${oldTime.toFixed(2)} s, stored anew in ${freshTime.toFixed(2)} s`);
  return { row: 'aged-restore', ours: 100 * (oldTime / freshTime - 1), beside: {} };
}

async function restore({ device, clock }: Place, into: string): Promise<number> {
  empty(into);
  const env = { ...environmentOf({ clockMs: clock.now - Date.now() }), HOLDFAST_HOME: device.shell.home };
  const args = [HOLDFAST, 'restore', '--set', SET, '--to', into, '--json'];
  const { seconds } = await measure({ program: process.execPath, args, env });
  return seconds;
}
