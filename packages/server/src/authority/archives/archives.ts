/**
 * The archive of a user, from the authority's side: which one it is, whose *identity* opens it, and at which *key level*.
 * The keys themselves lie in the store point as *wraps* and key files; the authority reads a wrap only at level `account`.
 *
 *     missing --register--> preparing --ready--> ready
 *
 * The first device makes the keys, registers, stores key files and wraps, and says *ready*; the authority then opens the
 * escrow wrap, so that an escrow that would fail on the day it is needed is found on the first day. While it prepares, no
 * other device gets in; once that device is removed, another one may start over. Later identities: renewal.ts.
 */

import { ProtocolError } from '@holdfast/protocol/errors.ts';
import type { DevicePrincipal } from '../../http/principal.ts';
import { append } from '../audit/audit.ts';
import { type AuthorityContext, type AuthorityTransaction, inTransaction } from '../context.ts';
import { findDevice } from '../devices/store.ts';
import type { AgeKey } from '../keyring/age.ts';
import { openableWrap, type PublicIdentity, rewrapIdentity, wrapName } from '../keyring/escrow.ts';
import type { ArchiveRow, UserRow } from '../tables.ts';
import { requireBackupApp } from '../users/backup-app.ts';
import { findUser } from '../users/store.ts';
import { archiveOf, removedDevices } from './store.ts';

/** The identity wraps of an archive for one recipient, wherever its storage is; `name` as that of the first in format §7. */
export type IdentityWraps = {
  /** Newest first. */
  read(archiveId: string, name: string): Promise<Uint8Array[]>;
  /** All of them. */
  remove(archiveId: string, name: string): Promise<void>;
};

export type ArchivesOptions = {
  readonly context: AuthorityContext;
  readonly wraps: IdentityWraps;
  readonly escrow: AgeKey;
};

export const publicIdentityOf = (row: ArchiveRow): PublicIdentity => ({
  recipient: row.recipient,
  signingKey: row.signing_key,
});

/** The first device of a user wins; repeating its own registration is fine, with other keys as long as it prepares. */
export async function registerArchive(
  { context }: ArchivesOptions,
  { deviceId, userId }: DevicePrincipal,
  made: { archive: string } & PublicIdentity,
): Promise<ArchiveRow> {
  return inTransaction(context, async (trx) => {
    const current = await lockArchive(trx, userId);
    if (current !== undefined && !(await mayReplace(trx, current, deviceId))) throw archiveExists(current);
    const row: ArchiveRow = {
      user: userId,
      id: made.archive,
      state: 'preparing',
      recipient: made.recipient,
      signing_key: made.signingKey,
      made_by: deviceId,
      created: context.now(),
      kept_from: JSON.stringify(await removedDevices(trx, userId)),
    };
    const taken = await trx.selectFrom('archives').select('user').where('id', '=', row.id).executeTakeFirst();
    if (taken !== undefined && taken.user !== userId) throw new ProtocolError('conflict');
    await trx.deleteFrom('archives').where('user', '=', userId).execute();
    await trx.insertInto('archives').values(row).execute();
    await append(trx, {
      at: context.now(),
      actor: `device:${deviceId}`,
      action: 'archive.registered',
      target: `archive:${row.id}`,
      details: { user: userId, replaces: current?.id ?? null },
    });
    return row;
  });
}

/** Two devices of one user may arrive at the same moment: the user's row is the lock, on both databases. */
export async function lockArchive(trx: AuthorityTransaction, userId: string): Promise<ArchiveRow | undefined> {
  await trx
    .updateTable('users')
    .set((eb) => ({ created: eb.ref('created') }))
    .where('id', '=', userId)
    .execute();
  return archiveOf(trx, userId);
}

async function mayReplace(trx: AuthorityTransaction, archive: ArchiveRow, deviceId: string): Promise<boolean> {
  if (archive.state === 'ready') return false;
  if (archive.made_by === deviceId) return true;
  return (await findDevice(trx, archive.made_by))?.removed !== null;
}

const archiveExists = (row: ArchiveRow) =>
  new ProtocolError('archive_exists', { data: { archive: row.id, state: row.state, madeBy: row.made_by } });

/** Key files and wraps are stored; checked at level `account`. Repeating it is fine. */
export async function markReady(options: ArchivesOptions, { deviceId, userId }: DevicePrincipal): Promise<ArchiveRow> {
  const { context, escrow } = options;
  const { user, archive } = await requireArchive(context, userId);
  if (archive.state === 'ready') return archive;
  if (archive.made_by !== deviceId) throw archiveExists(archive);
  if (user.key_level === 'account') {
    await openableWrap(escrow, await readEscrowWraps(options, archive), publicIdentityOf(archive));
  }
  return inTransaction(context, async (trx) => {
    const current = await lockArchive(trx, userId);
    // Registered anew while its wrap was being read: that one has to say ready itself
    if (current?.id !== archive.id || current.recipient !== archive.recipient) throw new ProtocolError('conflict');
    await trx.updateTable('archives').set({ state: 'ready' }).where('user', '=', userId).execute();
    const target = `archive:${archive.id}`;
    await append(trx, { at: context.now(), actor: `device:${deviceId}`, action: 'archive.ready', target });
    return { ...archive, state: 'ready' as const };
  });
}

/** The user's identity, wrapped to the device that asks. */
export async function releaseIdentity(
  options: ArchivesOptions,
  { deviceId, userId }: DevicePrincipal,
): Promise<Uint8Array> {
  const { context, escrow } = options;
  const { user, archive } = await requireArchive(context, userId);
  await requireBackupApp(context, userId);
  if (user.key_level !== 'account') throw new ProtocolError('key_not_escrowed');
  if (archive.state !== 'ready') throw new ProtocolError('archive_not_ready', { retryAfterMs: 5_000 });
  const device = await findDevice(context.database.kysely, deviceId);
  if (device === undefined) throw new ProtocolError('unauthenticated');
  const wrap = await openableWrap(escrow, await readEscrowWraps(options, archive), publicIdentityOf(archive));
  const rewrapped = await rewrapIdentity(escrow, wrap, publicIdentityOf(archive), device.recipient);
  // Noted before it leaves: an entry too many is better than one too few
  await inTransaction(context, (trx) =>
    append(trx, {
      at: context.now(),
      actor: `device:${deviceId}`,
      action: 'archive.identity_released',
      target: `archive:${archive.id}`,
      details: { user: userId, reason: 'new device' },
    }),
  );
  return rewrapped;
}

export async function requireArchive(
  { database }: AuthorityContext,
  userId: string,
): Promise<{ user: UserRow; archive: ArchiveRow }> {
  const [user, archive] = await Promise.all([findUser(database.kysely, userId), archiveOf(database.kysely, userId)]);
  if (user === undefined) throw new ProtocolError('unauthenticated');
  if (archive === undefined) throw new ProtocolError('archive_missing');
  return { user, archive };
}

export async function requireWraps(
  { wraps }: ArchivesOptions,
  archive: ArchiveRow,
  name: string,
): Promise<Uint8Array[]> {
  const found = await wraps.read(archive.id, name);
  if (found.length === 0) throw new ProtocolError('key_wrap_missing', { data: { name } });
  return found;
}

export const readEscrowWraps = (options: ArchivesOptions, archive: ArchiveRow): Promise<Uint8Array[]> =>
  requireWraps(options, archive, wrapName(options.escrow.recipient));
