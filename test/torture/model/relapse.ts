/**
 * What the rescue from trees without a label is there for, and what chance comes by once in a thousand runs: a directory changes in part
 * and then wholly, what was before is retired and collected at once, and the disk goes back to where it was in between. Its cache knows a tree by
 * its one id, which no snapshot reaches any more, and which was stored too lately to be condemned with the older ones below it.
 */
import type { JobName } from '../../../packages/server/src/storage/maintenance/events.ts';
import type { Random } from '../support/random.ts';
import type { Device } from './device.ts';
import { topsOf } from './tree.ts';

/** So long after its session what a device stored may be condemned, and a session that was left open is over. */
const LATER = 65 * 60_000;

export type World = {
  note(what: string): void;
  pass(ms: number): void;
  /** A job from beginning to end. */
  runNow(job: JobName): Promise<void>;
  /** A backup of the device from beginning to end. */
  backUp(): Promise<void>;
};

export async function relapse(device: Device, random: Random, world: World): Promise<void> {
  const top = random.pick(topsOf(device.tree));
  world.note(`${device.identity.name} relapses in ${top}`);
  device.changeIn(top, random);
  await world.backUp();
  world.pass(LATER);
  device.changeIn(top, random, ['y']);
  await world.backUp();
  const between = device.newestImage;
  device.changeIn(top, random);
  await world.backUp();
  for (const job of ['retention', 'collect'] as const) await world.runNow(job);
  device.setBack(random, between);
  await world.backUp();
}
