// A device for tests: opens sessions, stores packs and commits snapshots through the functions behind the routes.

import type { Archive } from '../index/archives.ts';
import { endSession, openSession, type Session } from '../index/sessions.ts';
import { commitSnapshot } from '../ingest/commit-snapshot.ts';
import { receivePack } from '../ingest/receive-pack.ts';
import { checkSnapshot } from '../ingest/verify-snapshot.ts';
import { askPresent } from '../reads/questions.ts';
import type { SessionRef } from '../reads/session-use.ts';
import { randomHex, type StorePoint } from '../store-point.ts';
import { type FrameSpec, inPieces, type MadeSnapshot, makePack, makeSnapshot, type SnapshotSpec } from './made.ts';
import { type Keys, newKeys } from './test-point.ts';

export class Device {
  readonly point: StorePoint;
  readonly archive: Archive;
  readonly id: Uint8Array;
  readonly keys: Keys = newKeys();
  private head: MadeSnapshot | null = null;

  constructor(point: StorePoint, archive: Archive, n = 7) {
    this.point = point;
    this.archive = archive;
    this.id = new Uint8Array(16).fill(n);
  }

  open(purpose = 'backup'): Promise<Session> {
    const session = { id: randomHex(this.point, 16), archive: this.archive.number, purpose, device: this.id };
    return this.point.index.write((on) => openSession(on, session, this.point.now()));
  }

  close(session: Session): Promise<void> {
    return this.point.index.write((on) => endSession(on, session.number, this.point.now()));
  }

  ref(session: Session): SessionRef {
    return { archive: this.archive, id: session.id, device: this.id };
  }

  async has(session: Session, ...ids: Uint8Array[]): Promise<boolean[]> {
    const flags = await askPresent(this.point, this.ref(session), Buffer.concat(ids));
    return Array.from(flags, (flag) => flag === 1);
  }

  /** Stores one pack with these frames and returns its id. */
  async put(session: Session, frames: readonly FrameSpec[]): Promise<Uint8Array> {
    const pack = makePack(this.archive.id, frames);
    await this.putBytes(session, pack.id, pack.bytes);
    return pack.id;
  }

  putBytes(session: Session, packId: Uint8Array, bytes: Uint8Array): Promise<'stored' | 'exists'> {
    return receivePack(this.point, { archive: this.archive, session: session.id, packId, body: inPieces(bytes) });
  }

  /** A snapshot of this root, the next of its chain. */
  make(root: Uint8Array, spec: Partial<SnapshotSpec> = {}): MadeSnapshot {
    const sequence = (this.head?.envelope.sequence ?? 0) + 1;
    const parent = this.head?.id ?? null;
    return makeSnapshot(this.keys, { archiveId: this.archive.id, deviceId: this.id, root, sequence, parent, ...spec });
  }

  async commit(session: Session, root: Uint8Array, spec: Partial<SnapshotSpec> = {}): Promise<MadeSnapshot> {
    const made = this.make(root, spec);
    await this.commitMade(session, made);
    return made;
  }

  /** Returns the receipt. */
  async commitMade(session: Session, made: MadeSnapshot): Promise<Uint8Array> {
    const { keys, archive, id } = this;
    const snapshot = await checkSnapshot(made.object, {
      archiveId: archive.id,
      deviceId: id,
      async *deviceKeys() {
        yield keys.publicKey;
      },
    });
    const receipt = await commitSnapshot(this.point, { archive, session: session.id, snapshot });
    this.head = made;
    return receipt;
  }
}
