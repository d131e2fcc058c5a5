// One job at work on one archive: in a lane of its own, in small transactions, each of which makes sure that the lane is
// still its own. So a job may be killed anywhere, and one that was taken for dead stops by itself.

import type { Archive } from '../index/archives.ts';
import { type Lane, leaveLane, stillHolds, takeLane } from '../index/jobs.ts';
import type { On } from '../index/open-index.ts';
import { randomHex, type StorePoint } from '../store-point.ts';
import type { JobEvent, JobName, OnEvent } from './events.ts';

export type Run = {
  readonly point: StorePoint;
  /** The counters of the row are those of the beginning. */
  readonly archive: Archive;
  readonly signal: AbortSignal | undefined;
  emit(event: JobEvent): void;
  /** One transaction, in which the lane is held for certain. Small: whoever writes waits for it. */
  step<T>(work: (on: On) => Promise<T>): Promise<T>;
};

export type RunOptions = { readonly onEvent?: OnEvent | undefined; readonly signal?: AbortSignal | undefined };

/** Another runner took the lane over. */
export class LaneLost extends Error {
  override readonly name = 'LaneLost';
}

/** Null when somebody else is at it. */
export async function inLane<T>(
  point: StorePoint,
  archive: Archive,
  lane: Lane,
  job: JobName,
  { onEvent = () => {}, signal }: RunOptions,
  work: (run: Run) => Promise<T>,
): Promise<T | null> {
  const owner = randomHex(point, 16);
  const emit = (event: JobEvent) => onEvent({ ...event, job, archive: archive.id.toHex() });
  const taken = await point.index.write((on) =>
    takeLane(on, { archive: archive.number, lane, job, owner }, point.now()),
  );
  if (!taken) {
    emit({ kind: 'skipped', why: 'busy' });
    return null;
  }
  const step = <R>(inStep: (on: On) => Promise<R>): Promise<R> => {
    signal?.throwIfAborted();
    return point.index.write(async (on) => {
      if (!(await stillHolds(on, archive.number, lane, owner, point.now())))
        throw new LaneLost(`${job} was taken over`);
      return inStep(on);
    });
  };
  try {
    return await work({ point, archive, signal, emit, step });
  } finally {
    await point.index.write((on) => leaveLane(on, archive.number, lane, owner));
  }
}
