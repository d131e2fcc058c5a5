// An archive with a device and its maintenance, for tests of single jobs.

import type { BlobStore } from '@holdfast/archive/store/blob-store.ts';
import { packName } from '@holdfast/archive/store/layout.ts';
import type { Archive } from '../index/archives.ts';
import { findPack, type Pack } from '../index/packs.ts';
import type { JobName, MaintenanceEvent } from '../maintenance/events.ts';
import {
  createMaintenance,
  type Maintenance,
  type MaintenanceSummary,
  type PolicyOf,
} from '../maintenance/maintenance.ts';
import { Device } from './device.ts';
import type { FrameSpec, MadeSnapshot } from './made.ts';
import { DAY, HOUR, type TestPoint, testArchive, testPoint } from './test-point.ts';

export class Site {
  readonly point: TestPoint;
  readonly archive: Archive;
  readonly device: Device;
  readonly events: MaintenanceEvent[] = [];
  readonly maintenance: Maintenance;

  static async make(given: Parameters<typeof testPoint>[0] = {}, policyOf?: PolicyOf): Promise<Site> {
    const point = await testPoint(given);
    return new Site(point, await testArchive(point), policyOf);
  }

  constructor(point: TestPoint, archive: Archive, policyOf: PolicyOf = async () => null) {
    this.point = point;
    this.archive = archive;
    this.device = new Device(point, archive);
    this.maintenance = createMaintenance([point], policyOf);
  }

  get blobs(): BlobStore {
    return this.point.blobs;
  }

  /** One backup: a pack for each list of frames, and a snapshot of the root if there is one. */
  async backUp(packs: readonly (readonly FrameSpec[])[], root?: Uint8Array): Promise<MadeSnapshot | null> {
    const session = await this.device.open();
    for (const frames of packs) await this.device.put(session, frames);
    if (root !== undefined) return this.device.commit(session, root);
    await this.device.close(session);
    return null;
  }

  /** Runs a job; what it told is in `events`. */
  async maintain(job: JobName | 'all', enable = false): Promise<MaintenanceSummary> {
    this.events.length = 0;
    return this.maintenance.run(job, { enable, onEvent: (event) => void this.events.push(event) });
  }

  get alerts(): string[] {
    return this.events.flatMap((event) => (event.kind === 'alert' ? [event.alert] : []));
  }

  result(): Readonly<Record<string, number>> {
    const finished = this.events.find((event) => event.kind === 'finished');
    return finished?.kind === 'finished' ? finished.result : {};
  }

  /** Until grace is over and silent sessions are. */
  async laterBy(ms = 2 * HOUR): Promise<void> {
    this.point.clock.now += ms;
  }

  async nextDay(): Promise<void> {
    await this.laterBy(DAY + HOUR);
  }

  /** Present for a session that is opened now. */
  async present(...ids: Uint8Array[]): Promise<boolean[]> {
    const session = await this.device.open();
    try {
      return await this.device.has(session, ...ids);
    } finally {
      await this.device.close(session);
    }
  }

  row(packId: Uint8Array): Promise<Pack | null> {
    return this.point.index.read((on) => findPack(on, this.archive.number, packId));
  }

  name(packId: Uint8Array): string {
    return packName(this.archive.id, packId);
  }

  async objects(prefix = ''): Promise<string[]> {
    return (await Array.fromAsync(this.blobs.list(prefix))).map(({ name }) => name);
  }

  packs(): Promise<string[]> {
    return this.objects(`archives/${this.archive.id.toHex()}/packs/`);
  }
}
