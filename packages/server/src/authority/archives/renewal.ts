/**
 * A new *identity* in place of a user's present one: after a device was removed, whose keys still open what is stored, and
 * whenever the key level is raised, which shuts escrow out. The device that makes it has stored key files, the signed device
 * list and all wraps before it asks.
 *
 *     may it (rules below) -> does the wrap that the level lives by hold it -> compare and swap, in one transaction
 *     above `account`: the wraps that the level forbids go; asking again removes them again
 *
 * Two devices of one user may do it at the same moment: one finds the identity that it replaces, the other hears `conflict`
 * and follows.
 */

import { ProtocolError } from '@holdfast/protocol/errors.ts';
import type { KeyLevel } from '@holdfast/protocol/schemas.ts';
import type { DevicePrincipal } from '../../http/principal.ts';
import { append } from '../audit/audit.ts';
import { type AuthorityTransaction, inTransaction } from '../context.ts';
import { openableWrap, type PublicIdentity, wrapName } from '../keyring/escrow.ts';
import type { ArchiveRow, UserRow } from '../tables.ts';
import {
  type ArchivesOptions,
  lockArchive,
  publicIdentityOf,
  readEscrowWraps,
  requireArchive,
  requireWraps,
} from './archives.ts';
import { formerDevicesOf, removedDevices } from './store.ts';

export type Renewal = {
  readonly level: KeyLevel;
  readonly previous: PublicIdentity;
  readonly identity: PublicIdentity;
  readonly keptFrom: readonly string[];
  /** By the password of the account. */
  readonly confirmed: boolean;
};

const PASSPHRASE_WRAP = 'passphrase.age';
const LEVELS: readonly KeyLevel[] = ['account', 'archive-password', 'custom-key'];

const isSame = (a: PublicIdentity, b: PublicIdentity): boolean =>
  a.recipient === b.recipient && a.signingKey === b.signingKey;

export async function renewIdentity(
  options: ArchivesOptions,
  principal: DevicePrincipal,
  renewal: Renewal,
): Promise<ArchiveRow> {
  const { context } = options;
  const { user, archive } = await requireArchive(context, principal.userId);
  if (archive.state !== 'ready') throw new ProtocolError('archive_not_ready', { retryAfterMs: 5_000 });
  const isDone = user.key_level === renewal.level && isSame(publicIdentityOf(archive), renewal.identity);
  const isDue = (await formerDevicesOf(context.database.kysely, archive)).length > 0;
  if (!isDone && !isSame(publicIdentityOf(archive), renewal.previous)) throw new ProtocolError('conflict');
  refuse(user.key_level, renewal, isDone || isDue);
  if (!isDone) {
    await requireLevelWrap(options, archive, renewal);
    await inTransaction(context, (trx) => register(trx, context.now(), principal, renewal));
  }
  await removeForbiddenWraps(options, archive.id, renewal.level);
  return (await requireArchive(context, user.id)).archive;
}

/** A stolen credential must not be enough, unless it does no more than what has to be done anyway. */
function refuse(present: KeyLevel, { level, confirmed }: Renewal, mayUnasked: boolean): void {
  if (LEVELS.indexOf(level) < LEVELS.indexOf(present)) throw new ProtocolError('key_level_lower');
  if (!confirmed && !(level === 'account' && mayUnasked)) throw new ProtocolError('renewal_not_due');
}

/** What the user is to get in by when all devices are lost. Escrow is tried; a passphrase cannot be. */
async function requireLevelWrap(options: ArchivesOptions, archive: ArchiveRow, { level, identity }: Renewal) {
  if (level === 'account') await openableWrap(options.escrow, await readEscrowWraps(options, archive), identity);
  if (level === 'archive-password') await requireWraps(options, archive, PASSPHRASE_WRAP);
}

async function register(
  trx: AuthorityTransaction,
  at: number,
  { deviceId, userId }: DevicePrincipal,
  { level, previous, identity, keptFrom }: Renewal,
): Promise<void> {
  const archive = await lockArchive(trx, userId);
  const user = await trx.selectFrom('users').select('key_level').where('id', '=', userId).executeTakeFirst();
  if (archive === undefined || user === undefined) throw new ProtocolError('archive_missing');
  if (!isSame(publicIdentityOf(archive), previous)) throw new ProtocolError('conflict');
  // Raised on another device while the wrap was being read
  if (LEVELS.indexOf(level) < LEVELS.indexOf(user.key_level)) throw new ProtocolError('key_level_lower');
  // A device that is not removed yet counts when it is, whoever says now that it was kept out
  const removed = new Set(await removedDevices(trx, userId));
  const values = {
    recipient: identity.recipient,
    signing_key: identity.signingKey,
    kept_from: JSON.stringify(keptFrom.filter((id) => removed.has(id))),
  };
  await trx.updateTable('archives').set(values).where('user', '=', userId).execute();
  await noteRenewal(trx, at, deviceId, archive, user, level);
  if (level === user.key_level) return;
  await trx.updateTable('users').set({ key_level: level }).where('id', '=', userId).execute();
}

function noteRenewal(
  trx: AuthorityTransaction,
  at: number,
  deviceId: string,
  archive: ArchiveRow,
  { key_level: from }: Pick<UserRow, 'key_level'>,
  to: KeyLevel,
): Promise<void> {
  const entry = { at, actor: `device:${deviceId}`, target: `archive:${archive.id}` } as const;
  return from === to
    ? append(trx, { ...entry, action: 'archive.identity_renewed', details: { level: to } })
    : append(trx, { ...entry, action: 'archive.key_level_raised', details: { from, to } });
}

async function removeForbiddenWraps({ wraps, escrow }: ArchivesOptions, archive: string, level: KeyLevel) {
  if (level !== 'account') await wraps.remove(archive, wrapName(escrow.recipient));
  if (level === 'custom-key') await wraps.remove(archive, PASSPHRASE_WRAP);
}
