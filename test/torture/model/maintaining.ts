/** Maintenance of the model: the jobs of the product, each stopped before every step, or collect without one of its clauses. */

import type { JobName, MaintenanceEvent } from '../../../packages/server/src/storage/maintenance/events.ts';
import { createMaintenance, type PolicyOf } from '../../../packages/server/src/storage/maintenance/maintenance.ts';
import { reconcile } from '../../../packages/server/src/storage/maintenance/reconcile.ts';
import { inLane, LaneLost } from '../../../packages/server/src/storage/maintenance/run.ts';
import { spreadLoss } from '../../../packages/server/src/storage/maintenance/spread-loss.ts';
import type { StorePoint } from '../../../packages/server/src/storage/store-point.ts';
import { Actor, steppedPoint } from '../../../packages/server/src/storage/testing/actor.ts';
import type { CutCollect } from '../../../packages/server/src/storage/testing/cut-collect.ts';
import { Broken } from './broken.ts';
import type { RetentionRecord } from './retention-record.ts';
import type { Site } from './site.ts';

/** How a job ended. */
export type JobEnd = {
  readonly how: 'finished' | 'waiting' | 'skipped';
  readonly result: Readonly<Record<string, number>>;
};

export class Job {
  readonly name: JobName;
  readonly actor: Actor<JobEnd>;
  /** No other job of its name was at it meanwhile. */
  isAlone = true;
  private isKilled = false;

  constructor(
    name: JobName,
    work: (stop: () => Promise<void>, onEvent: (event: MaintenanceEvent) => void) => Promise<unknown>,
  ) {
    this.name = name;
    this.actor = new Actor(async (stop) => {
      let end: JobEnd = { how: 'skipped', result: {} };
      await work(stop, (event) => {
        if (event.kind === 'finished') end = { how: 'finished', result: event.result };
        else if (event.kind === 'waiting') end = { how: 'waiting', result: {} };
        else if (event.kind === 'failed' && !this.isKilled) throw new Broken(`${name} failed`, { cause: event.error });
        else if (event.kind === 'alert' && !this.isKilled) throw new Broken(`${name} alerts: ${event.message}`);
      });
      return end;
    });
  }

  kill(): Promise<void> {
    this.isKilled = true;
    return this.actor.kill();
  }
}

export function beginJob(
  site: Site,
  name: JobName,
  retention: RetentionRecord,
  policyOf: PolicyOf,
  cut: CutCollect | null,
): Job {
  return new Job(name, async (stop, onEvent) => {
    const stepped: StorePoint = steppedPoint(site.point, stop);
    const point = name === 'retention' ? retention.observed(stepped) : stepped;
    if (cut === null || (name !== 'collect' && name !== 'resume'))
      return createMaintenance([point], policyOf).run(name, { onEvent });
    return inLane(point, site.archive, 'structure', name, { onEvent }, async (run) => {
      await reconcile(run);
      await spreadLoss(run);
      return cut.run(run);
    }).catch(unlessTakenOver);
  });
}

function unlessTakenOver(error: unknown): void {
  if (!(error instanceof LaneLost)) throw error;
}
