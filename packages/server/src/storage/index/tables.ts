// The tables of the index, as Kysely types, and the migration that makes them.
//
// Everything here can be made again from the store point (ARCHIVE §4). Ids of archives are replaced by small numbers,
// ids of chunks by their first 16 bytes: HMAC output does not collide there by chance, and a device that plants two
// chunks with one beginning only reaches its own archive, where it could plant wrong content anyway.

import type { Warning } from '@holdfast/protocol/warnings.ts';
import { type Generated, sql } from 'kysely';
import type { DatabaseConfig } from '../../config.ts';
import type { Steps } from '../../database/migrate.ts';

export type Kind = DatabaseConfig['kind'];

export type IndexTables = {
  point: PointRow;
  archives: ArchiveRow;
  sessions: SessionRow;
  packs: PackRow;
  chunks: ChunkRow;
  incoming: IncomingRow;
  snapshots: SnapshotRow;
  lost: LostRow;
  lost_links: LostLinkRow;
  collections: CollectionRow;
  jobs: JobRow;
  troubles: TroubleRow;
  objects: ObjectRow;
};

/** Facts about the whole store point. */
export type PointRow = { key: string; value: string };

export type ArchiveRow = {
  number: Generated<number>;
  id: Uint8Array;
  /** How often a collection was raised (ARCHIVE §5.4). */
  epoch: number;
  /** The number of the next pack; whoever takes one holds the row. */
  next_pack: number;
  /** Grows whenever something is lost or healed: what a cursor said before is void. */
  losses: number;
  /** 1 after a rebuild of the index: retention and collect wait for an administrator. */
  suspended: number;
};

export type SessionRow = {
  number: Generated<number>;
  id: string;
  archive: number;
  epoch: number;
  purpose: string;
  device: Uint8Array;
  /** ms */
  opened: number;
  renewed: number;
  ended: number | null;
};

export const PACK_STATE = { live: 0, retired: 1, deleting: 2, gone: 3, missing: 4, damaged: 5 } as const;

export type PackRow = {
  archive: number;
  /** Ascends with the order of arrival; parents mostly lie in higher packs than their children. */
  number: number;
  id: Uint8Array;
  /** bytes of the file */
  size: number;
  /** Frames in the file, and how many of them carry links. */
  frames: number;
  trees: number;
  /** Bytes of all its frames. */
  content: number;
  /** Rows of `chunks` that lead here, and the bytes of their frames. */
  rows: number;
  bytes: number;
  /** The session that sent it; 0 for compaction, reconcile and reindex. */
  session: number;
  state: number;
  received: number;
  /** When verify last read it whole, ms; 0 never. */
  verified: number;
  /** Since when it is retired or gone, ms; 0 otherwise. */
  since: number;
};

/** Why a location does not count as present: it is bad itself, or it is a tree that reaches an id that is nowhere else. */
export const LOST = { no: 0, self: 1, below: 2 } as const;

export type ChunkRow = {
  archive: number;
  prefix: Uint8Array;
  pack: number;
  offset: number;
  length: number;
  kind: number;
  lost: number;
  /** The epoch in which it is condemned; 0: not. */
  label: number;
};

/** A pack between the check of its links and its row: its name may not be deleted. */
export type IncomingRow = { archive: number; pack: Uint8Array; session: number; token: string };

export const SNAPSHOT_STATE = { pending: 0, committed: 1, retiring: 2 } as const;

export type SnapshotRow = {
  archive: number;
  id: Uint8Array;
  device: Uint8Array;
  backup_set: Uint8Array;
  destination: Uint8Array;
  sequence: number;
  parent: Uint8Array | null;
  root: Uint8Array;
  device_time: number;
  received: number;
  partial: number;
  /** 1 when its chain had another head than its parent at its arrival. */
  forked: number;
  state: number;
  session: number;
};

/** An id with no good location; `spread` is 1 when the trees that reach it were found. */
export type LostRow = { archive: number; prefix: Uint8Array; since: number; reason: string; spread: number };

/** A tree that is not present because of a child that is lost, or itself not present for that reason. */
export type LostLinkRow = { archive: number; child: Uint8Array; parent: Uint8Array };

export type CollectionRow = {
  archive: number;
  /** See maintenance/collect.ts. */
  stage: string;
  /** The epoch that condemns. */
  target: number;
  /** Packs above this number are not looked at. */
  boundary: number;
  started: number;
};

export type JobRow = {
  archive: number;
  lane: string;
  job: string;
  /** Whoever runs it; every step checks that it is still the one. */
  owner: string;
  started: number;
  renewed: number;
};

/** What a run of maintenance may conclude. */
export type Trouble = Extract<
  Warning,
  | 'reconcile_stopped'
  | 'snapshots_vanished'
  | 'collect_unsafe'
  | 'index_disagrees'
  | 'maintenance_failed'
  | 'objects_damaged'
>;

/** What maintenance concluded; see troubles.ts. */
export type TroubleRow = { archive: number; code: Trouble; job: string; since: number };

/** A small object that cannot be judged by itself: `name` without the archive's folder, the SHA-256 that its bytes had. */
export type ObjectRow = { archive: number; name: string; hash: Uint8Array };

export const indexSteps = (kind: Kind): Steps => ({
  '0001_index': async (db, t) => {
    const end = t.strict;
    const clustered = kind === 'sqlite' ? sql`strict, without rowid` : sql``;
    const number = kind === 'sqlite' ? sql`integer` : sql`bigserial`;

    await db.schema
      .createTable('point')
      .addColumn('key', t.text, (c) => c.primaryKey())
      .addColumn('value', t.text, (c) => c.notNull())
      .modifyEnd(end)
      .execute();

    await db.schema
      .createTable('archives')
      .addColumn('number', number, (c) => c.primaryKey())
      .addColumn('id', t.bytes, (c) => c.notNull().unique())
      .addColumn('epoch', t.integer, (c) => c.notNull())
      .addColumn('next_pack', t.integer, (c) => c.notNull())
      .addColumn('losses', t.integer, (c) => c.notNull())
      .addColumn('suspended', t.integer, (c) => c.notNull())
      .modifyEnd(end)
      .execute();

    await db.schema
      .createTable('sessions')
      .addColumn('number', number, (c) => c.primaryKey())
      .addColumn('id', t.text, (c) => c.notNull().unique())
      .addColumn('archive', t.integer, (c) => c.notNull())
      .addColumn('epoch', t.integer, (c) => c.notNull())
      .addColumn('purpose', t.text, (c) => c.notNull())
      .addColumn('device', t.bytes, (c) => c.notNull())
      .addColumn('opened', t.integer, (c) => c.notNull())
      .addColumn('renewed', t.integer, (c) => c.notNull())
      .addColumn('ended', t.integer)
      .modifyEnd(end)
      .execute();
    await db.schema.createIndex('sessions_open').on('sessions').columns(['archive', 'ended']).execute();

    await db.schema
      .createTable('packs')
      .addColumn('archive', t.integer, (c) => c.notNull())
      .addColumn('number', t.integer, (c) => c.notNull())
      .addColumn('id', t.bytes, (c) => c.notNull())
      .addColumn('size', t.integer, (c) => c.notNull())
      .addColumn('frames', t.integer, (c) => c.notNull())
      .addColumn('trees', t.integer, (c) => c.notNull())
      .addColumn('content', t.integer, (c) => c.notNull())
      .addColumn('rows', t.integer, (c) => c.notNull())
      .addColumn('bytes', t.integer, (c) => c.notNull())
      .addColumn('session', t.integer, (c) => c.notNull())
      .addColumn('state', t.integer, (c) => c.notNull())
      .addColumn('received', t.integer, (c) => c.notNull())
      .addColumn('verified', t.integer, (c) => c.notNull())
      .addColumn('since', t.integer, (c) => c.notNull())
      .addPrimaryKeyConstraint('packs_pk', ['archive', 'number'])
      .addUniqueConstraint('packs_id', ['archive', 'id'])
      .modifyEnd(end)
      .execute();

    await db.schema
      .createTable('chunks')
      .addColumn('archive', t.integer, (c) => c.notNull())
      .addColumn('prefix', t.bytes, (c) => c.notNull())
      .addColumn('pack', t.integer, (c) => c.notNull())
      .addColumn('offset', t.integer, (c) => c.notNull())
      .addColumn('length', t.integer, (c) => c.notNull())
      .addColumn('kind', t.integer, (c) => c.notNull())
      .addColumn('lost', t.integer, (c) => c.notNull())
      .addColumn('label', t.integer, (c) => c.notNull())
      .addPrimaryKeyConstraint('chunks_pk', ['archive', 'prefix', 'pack'])
      .modifyEnd(clustered)
      .execute();

    await db.schema
      .createTable('incoming')
      .addColumn('archive', t.integer, (c) => c.notNull())
      .addColumn('pack', t.bytes, (c) => c.notNull())
      .addColumn('session', t.integer, (c) => c.notNull())
      .addColumn('token', t.text, (c) => c.notNull())
      .addPrimaryKeyConstraint('incoming_pk', ['archive', 'pack', 'token'])
      .modifyEnd(clustered)
      .execute();

    await db.schema
      .createTable('snapshots')
      .addColumn('archive', t.integer, (c) => c.notNull())
      .addColumn('id', t.bytes, (c) => c.notNull())
      .addColumn('device', t.bytes, (c) => c.notNull())
      .addColumn('backup_set', t.bytes, (c) => c.notNull())
      .addColumn('destination', t.bytes, (c) => c.notNull())
      .addColumn('sequence', t.integer, (c) => c.notNull())
      .addColumn('parent', t.bytes)
      .addColumn('root', t.bytes, (c) => c.notNull())
      .addColumn('device_time', t.integer, (c) => c.notNull())
      .addColumn('received', t.integer, (c) => c.notNull())
      .addColumn('partial', t.integer, (c) => c.notNull())
      .addColumn('forked', t.integer, (c) => c.notNull())
      .addColumn('state', t.integer, (c) => c.notNull())
      .addColumn('session', t.integer, (c) => c.notNull())
      .addPrimaryKeyConstraint('snapshots_pk', ['archive', 'id'])
      .modifyEnd(clustered)
      .execute();

    await db.schema
      .createTable('lost')
      .addColumn('archive', t.integer, (c) => c.notNull())
      .addColumn('prefix', t.bytes, (c) => c.notNull())
      .addColumn('since', t.integer, (c) => c.notNull())
      .addColumn('reason', t.text, (c) => c.notNull())
      .addColumn('spread', t.integer, (c) => c.notNull())
      .addPrimaryKeyConstraint('lost_pk', ['archive', 'prefix'])
      .modifyEnd(clustered)
      .execute();

    await db.schema
      .createTable('lost_links')
      .addColumn('archive', t.integer, (c) => c.notNull())
      .addColumn('child', t.bytes, (c) => c.notNull())
      .addColumn('parent', t.bytes, (c) => c.notNull())
      .addPrimaryKeyConstraint('lost_links_pk', ['archive', 'child', 'parent'])
      .modifyEnd(clustered)
      .execute();
    await db.schema.createIndex('lost_links_up').on('lost_links').columns(['archive', 'parent']).execute();

    await db.schema
      .createTable('collections')
      .addColumn('archive', t.integer, (c) => c.primaryKey())
      .addColumn('stage', t.text, (c) => c.notNull())
      .addColumn('target', t.integer, (c) => c.notNull())
      .addColumn('boundary', t.integer, (c) => c.notNull())
      .addColumn('started', t.integer, (c) => c.notNull())
      .modifyEnd(end)
      .execute();

    await db.schema
      .createTable('jobs')
      .addColumn('archive', t.integer, (c) => c.notNull())
      .addColumn('lane', t.text, (c) => c.notNull())
      .addColumn('job', t.text, (c) => c.notNull())
      .addColumn('owner', t.text, (c) => c.notNull())
      .addColumn('started', t.integer, (c) => c.notNull())
      .addColumn('renewed', t.integer, (c) => c.notNull())
      .addPrimaryKeyConstraint('jobs_pk', ['archive', 'lane'])
      .modifyEnd(end)
      .execute();
  },

  '0002_troubles': async (db, t) => {
    await db.schema
      .createTable('troubles')
      .addColumn('archive', t.integer, (c) => c.notNull())
      .addColumn('code', t.text, (c) => c.notNull())
      .addColumn('job', t.text, (c) => c.notNull())
      .addColumn('since', t.integer, (c) => c.notNull())
      .addPrimaryKeyConstraint('troubles_pk', ['archive', 'code', 'job'])
      .modifyEnd(t.strict)
      .execute();
    // Health asks for any that is suspended
    await db.schema
      .createIndex('archives_suspended')
      .on('archives')
      .column('suspended')
      .where(sql.ref('suspended'), '=', sql.lit(1))
      .execute();
  },

  '0003_objects': async (db, t) => {
    await db.schema
      .createTable('objects')
      .addColumn('archive', t.integer, (c) => c.notNull())
      .addColumn('name', t.text, (c) => c.notNull())
      .addColumn('hash', t.bytes, (c) => c.notNull())
      .addPrimaryKeyConstraint('objects_pk', ['archive', 'name'])
      .modifyEnd(kind === 'sqlite' ? sql`strict, without rowid` : sql``)
      .execute();
  },
});
