/**
 * What retention may take away: each run of it reads the snapshots once and makes its plan of them. The reference makes the same plan of what
 * it knows itself, by the policy that the run left in force, and allows nothing else to go.
 */
import { toHex } from '@holdfast/archive/format/ids.ts';
import { planRetention, type RetentionSnapshot } from '@holdfast/archive/retention/plan.ts';
import { DEFAULT_RETENTION, parseRetentionPolicy } from '@holdfast/archive/retention/policy.ts';
import type { Index } from '../../../packages/server/src/storage/index/open-index.ts';
import type { Snapshot } from '../../../packages/server/src/storage/index/snapshots.ts';
import { readPolicy } from '../../../packages/server/src/storage/maintenance/policy.ts';
import type { StorePoint } from '../../../packages/server/src/storage/store-point.ts';
import { Broken } from './broken.ts';
import type { Site } from './site.ts';

type Moment = { readonly snapshots: readonly RetentionSnapshot[]; readonly now: number };

export class RetentionRecord {
  private moment: Moment | null = null;
  private readonly allowed = new Set<string>();
  private readonly site: Site;

  constructor(site: Site) {
    this.site = site;
  }

  /** A store point for a run of retention: the last list of snapshots that it reads is the one that it plans by. */
  observed(point: StorePoint): StorePoint {
    const read: Index['read'] = async (work) => {
      const result = await point.index.read(work);
      if (isSnapshots(result)) this.moment = { snapshots: result.map(asPlanned), now: point.now() };
      return result;
    };
    return { ...point, index: { ...point.index, read } };
  }

  async allows(id: string): Promise<boolean> {
    if (!this.allowed.has(id)) for (const one of await this.planned()) this.allowed.add(one);
    return this.allowed.has(id);
  }

  /** After a run that came to its end: nothing is left that its plan named. */
  async requireDone(isKept: (id: string) => boolean): Promise<void> {
    const left = (await this.planned()).filter(isKept);
    if (left.length > 0) throw new Broken(`retention left ${left.length} snapshots that its plan names`);
  }

  private async planned(): Promise<string[]> {
    const { point, archive } = this.site;
    if (this.moment === null) return [];
    const { snapshots, now } = this.moment;
    const { inForce = {} } = (await readPolicy(point.blobs, archive.id)) ?? {};
    const policy = inForce.default === undefined ? DEFAULT_RETENTION : parseRetentionPolicy(inForce.default);
    return planRetention(snapshots, policy, now, inForce.holds).retire.map(({ id }) => id);
  }
}

const isSnapshots = (result: unknown): result is Snapshot[] =>
  Array.isArray(result) && typeof result[0] === 'object' && result[0] !== null && 'device_time' in result[0];

const asPlanned = (row: Snapshot): RetentionSnapshot => ({
  id: toHex(row.id),
  deviceId: toHex(row.device),
  setId: toHex(row.backup_set),
  destinationId: toHex(row.destination),
  sequence: row.sequence,
  receivedAt: row.received,
  partial: row.partial === 1,
});
