// Devices, restores and maintenance of one archive, interleaved by a seed, with an exact oracle: which ids each snapshot and
// each running restore needs. It is the model of ARCHIVE §5.4 with the real storage underneath.

import { toHex } from '@holdfast/archive/format/ids.ts';
import { folderPrefix, packName } from '@holdfast/archive/store/layout.ts';
import type { Archive } from '../index/archives.ts';
import type { Index } from '../index/open-index.ts';
import { renewSession, type Session } from '../index/sessions.ts';
import { updateSnapshot } from '../index/snapshots.ts';
import { SNAPSHOT_STATE } from '../index/tables.ts';
import { removeSnapshotObjects } from '../ingest/commit-snapshot.ts';
import { collect } from '../maintenance/collect.ts';
import { compact } from '../maintenance/compact.ts';
import { reconcile } from '../maintenance/reconcile.ts';
import { Actor, steppedRun } from './actor.ts';
import { type Clause, CutCollect } from './cut-collect.ts';
import { Device } from './device.ts';
import { type FrameSpec, id } from './made.ts';
import { HOUR, type TestPoint, testArchive, testPoint } from './test-point.ts';

/** `none` runs collect as it is, everything else the test's own sequence of its stages (cut-collect.ts). */
export type LeftOut = 'none' | 'nothing' | Clause;

type Random = (below: number) => number;

/** xorshift32, as in the model. */
function random(seed: number): Random {
  let s = (seed * 2654435761 + 12345) >>> 0;
  return (below) => {
    s ^= s << 13;
    s >>>= 0;
    s ^= s >>> 17;
    s ^= s << 5;
    s >>>= 0;
    return s % below;
  };
}

/** A directory with two directories of two files each; `id` null is not stored yet, as far as its device knows. */
type Sub = { id: Uint8Array | null; readonly leaves: readonly (readonly string[])[] };
type Backup = { readonly session: Session; readonly subs: Sub[]; next: number };
type Agent = { readonly device: Device; cache: Sub[]; backup: Backup | null };
type Restore = {
  readonly session: Session;
  readonly device: Device;
  readonly root: string;
  left: number;
  renewed: number;
};
type Kept = { readonly id: Uint8Array; readonly root: string };

const unique = (ids: readonly Uint8Array[]): Uint8Array[] => [...new Map(ids.map((one) => [toHex(one), one])).values()];

/** A session is silent for an hour after 24 of these. */
const TICK = HOUR / 24;
const FILES = 14;

export type Outcome = {
  readonly lost: 'snapshot' | 'restore' | null;
  readonly snapshots: number;
  readonly deleted: number;
};

export class World {
  readonly point: TestPoint;
  readonly archive: Archive;
  private readonly chance: Random;
  private readonly leftOut: LeftOut;
  private readonly agents: Agent[];
  private readonly links = new Map<string, readonly Uint8Array[]>();
  private readonly kept: Kept[] = [];
  private readonly restores: Restore[] = [];
  private readonly cut: CutCollect | null;
  private collecting: Actor<unknown> | null = null;
  private snapshots = 0;

  static async make(seed: number, leftOut: LeftOut = 'none', index?: Index): Promise<World> {
    const point = await testPoint(index ? { index } : {});
    return new World(point, await testArchive(point), seed, leftOut);
  }

  constructor(point: TestPoint, archive: Archive, seed: number, leftOut: LeftOut) {
    this.point = point;
    this.archive = archive;
    this.chance = random(seed);
    this.leftOut = leftOut;
    this.cut = leftOut === 'none' ? null : new CutCollect(leftOut);
    this.agents = [7, 8, 9].map((n) => ({ device: new Device(point, archive, n), cache: [], backup: null }));
  }

  async run(steps: number): Promise<Outcome> {
    let lost: Outcome['lost'] = null;
    for (let k = 0; k < steps && lost === null; k++) {
      this.point.clock.now += TICK * (1 + this.chance(3));
      // Nothing else can take a location away.
      if (await this.act()) lost = await this.whatIsLost();
    }
    await this.collecting?.kill();
    const deleted = this.point.metrics.counts.chunks_deleted ?? 0;
    await this.point.index.close();
    return { lost, snapshots: this.snapshots, deleted };
  }

  /** Returns whether maintenance was at work. */
  private async act(): Promise<boolean> {
    const agent = this.agents[this.chance(3)] as Agent;
    const action = this.chance(15);
    if (action < 6) await this.backUp(agent);
    else if (action === 6 || action === 14) await this.retireOne();
    else if (action === 7) agent.backup = null;
    else if (action === 8) await this.beginRestore(agent);
    else if (action === 9 && this.chance(4) === 0) await this.disturb();
    else await this.collectSome();
    await this.goOnRestoring();
    return action >= 9 && action < 14;
  }

  /** One piece of a backup: a session, a directory, or the snapshot. */
  private async backUp(agent: Agent): Promise<void> {
    try {
      agent.backup ??= await this.beginBackup(agent);
      const { backup } = agent;
      const sub = backup.subs[backup.next];
      if (sub === undefined) await this.finishBackup(agent, backup);
      else if (await this.storeSub(agent.device, backup.session, sub)) backup.next += 1;
    } catch (error) {
      const { code } = error as { code?: string };
      // What a session was told is present stays so: only a cut protocol breaks its word.
      const isBroken = code === 'links_missing' && this.leftOut !== 'none' && this.leftOut !== 'nothing';
      if (code !== 'session_ended' && !isBroken) throw error;
      agent.backup = null;
    }
  }

  private async open(device: Device): Promise<Session> {
    const session = await device.open();
    await this.cut?.opened(this.point.index, session.id);
    return session;
  }

  private async beginBackup(agent: Agent): Promise<Backup> {
    const subs = agent.cache.filter(() => this.chance(4) > 0).map((sub) => ({ ...sub }));
    while (subs.length < 3) subs.push({ id: null, leaves: [0, 1].map(() => [this.file(), this.file()]) });
    return { session: await this.open(agent.device), subs, next: 0 };
  }

  private file(): string {
    return `c${this.chance(FILES)}`;
  }

  /** A directory that its device knows is asked for by its own id alone; otherwise what lacks of it is stored. */
  private async storeSub(device: Device, session: Session, sub: Sub): Promise<boolean> {
    if (sub.id !== null && (await device.has(session, sub.id))[0]) return true;
    const specs = new Map<string, FrameSpec>();
    const want = (spec: FrameSpec): Uint8Array => {
      specs.set(toHex(spec.id), spec);
      if (spec.links) this.links.set(toHex(spec.id), spec.links);
      return spec.id;
    };
    const leaves = sub.leaves.map((files) => {
      const names = [...new Set(files)].sort();
      return want({ id: id(`leaf ${names}`), links: names.map((name) => want({ id: id(name) })) });
    });
    const links = unique(leaves);
    const top = want({ id: id(`sub ${links.map(toHex).sort()}`), links });
    const all = [...specs.values()];
    const there = await device.has(session, ...all.map((spec) => spec.id));
    const frames = all.filter((_, i) => !there[i]);
    if (frames.length > 0) await device.put(session, frames);
    sub.id = top;
    return true;
  }

  private async finishBackup(agent: Agent, { session, subs }: Backup): Promise<void> {
    agent.backup = null;
    const links = unique(subs.map((sub) => sub.id as Uint8Array));
    // Now and then a root comes back that an earlier snapshot had.
    const root = id(`root ${this.chance(3) === 0 ? links.map(toHex).sort() : ++this.snapshots}`);
    this.links.set(toHex(root), links);
    if (!(await agent.device.has(session, root))[0]) await agent.device.put(session, [{ id: root, links }]);
    const made = await agent.device.commit(session, root);
    this.snapshots += 1;
    this.kept.push({ id: made.id, root: toHex(root) });
    agent.cache = subs;
  }

  /** Retention, of any snapshot but the newest. */
  private async retireOne(): Promise<void> {
    if (this.kept.length < 2) return;
    // Often the one that the newest has just replaced, as retention does within a quarter of an hour.
    const which = this.chance(2) === 0 ? this.kept.length - 2 : this.chance(this.kept.length - 1);
    const [gone] = this.kept.splice(which, 1) as [Kept];
    const { point, archive } = this;
    const change = { state: SNAPSHOT_STATE.retiring };
    await point.index.write((on) => updateSnapshot(on, archive.number, gone.id, change));
    await removeSnapshotObjects(point, archive, gone.id);
  }

  private async beginRestore({ device }: Agent): Promise<void> {
    const of = this.kept[this.chance(Math.max(1, this.kept.length))];
    if (of === undefined || this.restores.length >= 2) return;
    this.restores.push({
      session: await this.open(device),
      device,
      root: of.root,
      left: 3 + this.chance(12),
      renewed: this.point.now(),
    });
  }

  /** A restore is never silent for long. */
  private async goOnRestoring(): Promise<void> {
    for (const restore of [...this.restores]) {
      const { session, device } = restore;
      if (this.point.now() - restore.renewed > HOUR / 2) {
        restore.renewed = this.point.now();
        await this.point.index.write((on) => renewSession(on, session.number, restore.renewed));
      }
      restore.left -= 1;
      if (restore.left > 0) continue;
      await device.close(session);
      this.restores.splice(this.restores.indexOf(restore), 1);
    }
  }

  /** Power cuts of maintenance, compaction, reconcile. */
  private async disturb(): Promise<void> {
    await this.collecting?.kill();
    this.collecting = null;
    const run = steppedRun(this.point, this.archive, async () => {});
    if (this.chance(2) === 0) await compact(run);
    else await reconcile(run);
  }

  private async collectSome(): Promise<void> {
    this.collecting ??= new Actor((stop) => {
      const run = steppedRun(this.point, this.archive, stop);
      return this.cut === null ? collect(run) : this.cut.run(run);
    });
    for (let n = 1 + this.chance(16); n > 0 && !this.collecting.over; n--) await this.collecting.step();
    if (this.collecting.over) this.collecting = null;
  }

  /** The oracle: everything that a snapshot or a running restore reaches has a location in a pack that is there. */
  private async whatIsLost(): Promise<Outcome['lost']> {
    const readable = await this.readable();
    const reaches = (root: string): boolean => {
      const seen = new Set<string>();
      for (const open = [root]; open.length > 0; ) {
        const next = open.pop() as string;
        if (seen.has(next)) continue;
        if (!readable.has(next.slice(0, 32))) return false;
        seen.add(next);
        open.push(...(this.links.get(next) ?? []).map(toHex));
      }
      return true;
    };
    if (this.restores.some(({ root }) => !reaches(root))) return 'restore';
    return this.kept.some(({ root }) => !reaches(root)) ? 'snapshot' : null;
  }

  /** Prefixes of all ids that lie in a pack whose object is in the store point. */
  private async readable(): Promise<Set<string>> {
    const { point, archive } = this;
    const objects = new Set<string>();
    for await (const { name } of point.blobs.list(folderPrefix(archive.id, 'packs'))) objects.add(name);
    const rows = await point.index.read((on) =>
      on.db
        .selectFrom('chunks')
        .innerJoin('packs', (join) =>
          join.onRef('packs.archive', '=', 'chunks.archive').onRef('packs.number', '=', 'chunks.pack'),
        )
        .select(['chunks.prefix', 'packs.id'])
        .where('chunks.archive', '=', archive.number)
        .execute(),
    );
    return new Set(rows.filter((row) => objects.has(packName(archive.id, row.id))).map((row) => toHex(row.prefix)));
  }
}
