/** What devices do one request after the other: small backups, restores. Each is an actor; how it may end is decided here. */
import type { ArchiveEndpoint } from '@holdfast/archive/endpoint/endpoint.ts';
import { ArchiveError } from '@holdfast/archive/errors.ts';
import { toHex } from '@holdfast/archive/format/ids.ts';
import { ProtocolError } from '@holdfast/protocol/errors.ts';
import type { StorePoint } from '../../../packages/server/src/storage/store-point.ts';
import { Actor, steppedPoint } from '../../../packages/server/src/storage/testing/actor.ts';
import type { CutCollect } from '../../../packages/server/src/storage/testing/cut-collect.ts';
import { Random } from '../support/random.ts';
import { Broken } from './broken.ts';
import type { Device } from './device.ts';
import { readTree } from './reading.ts';
import type { Kept, Reference } from './reference.ts';
import type { DeviceIdentity, Site } from './site.ts';
import { type Watcher, watched } from './watched.ts';

export class Clients {
  private readonly site: Site;
  private readonly reference: Reference;
  private readonly cut: CutCollect | null;
  private readonly note: (what: string) => void;
  private readonly count: (what: string) => void;
  /** Whoever reads a snapshot whole, at once. */
  private readonly reader: DeviceIdentity;

  constructor(
    site: Site,
    reference: Reference,
    cut: CutCollect | null,
    note: (what: string) => void,
    count: (what: string) => void,
  ) {
    this.site = site;
    this.reference = reference;
    this.cut = cut;
    this.note = note;
    this.count = count;
    this.reader = site.device('reader', new Random('reader'));
  }

  /** Begins a small backup of the device's tree. */
  backUp(device: Device): Actor<unknown> {
    const { tree } = device;
    const { name } = device.identity;
    this.note(`${name} backs up`);
    return new Actor(async (stop) => {
      const stored = await this.site.endpoint(device.identity).snapshots();
      const endpoint = this.endpoint(device.identity, steppedPoint(this.site.point, stop), {
        snapshot: (object) => this.reference.snapshotSent(object, tree),
      });
      try {
        const id = await device.writer.backUp(endpoint, stored, tree);
        device.remember(tree);
        this.reference.acknowledged(id);
        this.note(`${name} was told of ${toHex(id).slice(0, 8)}`);
        this.count('snapshots');
      } catch (error) {
        if (isKill(error)) throw error;
        this.note(`${name} gives up: ${this.excuseOf(error)}`);
        this.count('backups given up');
      }
    });
  }

  /** Why it may end like this. What a session was told is present stays so as long as it is open; anything else is a defect. */
  private excuseOf(error: unknown): string {
    const code = error instanceof ArchiveError || error instanceof ProtocolError ? error.code : '';
    if (EXCUSES.includes(code)) return code;
    throw new Broken(`a backup broke: ${code}`, { cause: error });
  }

  restore(device: Device, kept: Kept): Actor<unknown> {
    const { name } = device.identity;
    this.note(`${name} restores ${kept.id.slice(0, 8)}`);
    return new Actor(async (stop) => {
      const sessions: boolean[] = [];
      const point = steppedPoint(this.site.point, stop);
      const endpoint = this.endpoint(device.identity, point, {
        opened: async () => void sessions.push(this.reference.kept.has(kept.id)),
      });
      await this.protectedBy(sessions, kept, () => readTree(endpoint, this.site.keys, kept.envelope.root, kept.tree));
      this.count('restores');
    });
  }

  /**
   * A restore is never broken as long as its session lives, whatever is retired meanwhile. One that was silent for an hour and had to open
   * another session may find its snapshot gone.
   */
  private async protectedBy(sessions: readonly boolean[], kept: Kept, work: () => Promise<void>): Promise<void> {
    try {
      await work();
    } catch (error) {
      const isHeld = sessions.length === 1 && sessions[0] === true;
      if (isHeld || this.reference.kept.has(kept.id) || !(error instanceof ArchiveError))
        throw isKill(error) ? error : new Broken(`a restore of ${kept.id.slice(0, 8)} broke`, { cause: error });
      this.note(`a restore finds nothing more: ${error.code}`);
      this.count('restores too late');
    }
  }

  async readWhole(kept: Kept): Promise<void> {
    await readTree(this.endpoint(this.reader, this.site.point), this.site.keys, kept.envelope.root, kept.tree);
  }

  /** The archive as a device reaches it; `watcher` hears of it too. */
  endpoint(device: DeviceIdentity, point: StorePoint, watcher: Partial<Watcher> = {}): ArchiveEndpoint {
    return watched(this.site.endpoint(device, point), {
      before: async () => {},
      pack: (bytes) => this.reference.packSent(bytes),
      snapshot: () => {},
      ...watcher,
      opened: async (session) => {
        await this.cut?.opened(this.site.point.index, session);
        await watcher.opened?.(session);
      },
    });
  }
}

/** A session may be silent for an hour; a pack or snapshot of the same name may just be on its way out. */
const EXCUSES = ['session_ended', 'busy', 'pack_retired'];

const isKill = (error: unknown): boolean => error instanceof Error && error.name === 'Killed';
