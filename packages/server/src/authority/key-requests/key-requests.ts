/**
 * A device without the key asks the user's other devices for it. The authority keeps the *request* for an hour and shows it to
 * them; whoever answers puts a wrap into the store and says so here. Nothing here is secret, and nobody trusts it: both
 * devices show words made of the keys they see, and a person compares them (docs/threat-model.md).
 */

import { ProtocolError } from '@holdfast/protocol/errors.ts';
import { KEY_REQUEST_LIFETIME_MS, type KeyRequest } from '@holdfast/protocol/key-request-routes.ts';
import type { DevicePrincipal } from '../../http/principal.ts';
import { archiveOf } from '../archives/store.ts';
import { append } from '../audit/audit.ts';
import { type AuthorityContext, inTransaction } from '../context.ts';
import type { PublicIdentity } from '../keyring/escrow.ts';
import { requireBackupApp } from '../users/backup-app.ts';
import { dropRequest, putRequest, waitingRequest, waitingRequests } from './store.ts';

/** Answers when it ends. Asking again replaces it. */
export async function requestKey(
  context: AuthorityContext,
  { deviceId, userId }: DevicePrincipal,
  { nonce, identity }: { readonly nonce: string; readonly identity: PublicIdentity },
): Promise<number> {
  await requireBackupApp(context, userId);
  const requested = context.now();
  const expires = requested + KEY_REQUEST_LIFETIME_MS;
  await inTransaction(context, async (trx) => {
    const archive = await archiveOf(trx, userId);
    if (archive === undefined) throw new ProtocolError('archive_missing');
    if (archive.state !== 'ready') throw new ProtocolError('archive_not_ready', { retryAfterMs: 5_000 });
    const isCurrent = archive.recipient === identity.recipient && archive.signing_key === identity.signingKey;
    if (!isCurrent) throw new ProtocolError('conflict');
    const { recipient, signingKey: signing_key } = identity;
    await putRequest(trx, { device: deviceId, nonce, recipient, signing_key, requested, expires });
    const target = `archive:${archive.id}`;
    await append(trx, { at: requested, actor: `device:${deviceId}`, action: 'archive.key_requested', target });
  });
  return expires;
}

export async function keyRequestsFor(
  context: AuthorityContext,
  { deviceId, userId }: DevicePrincipal,
): Promise<KeyRequest[]> {
  await requireBackupApp(context, userId);
  return waitingRequests(context.database.kysely, { user: userId, without: deviceId, now: context.now() });
}

/** Rejects with `not_found` unless a device of the same user waits. */
export async function answerKeyRequest(
  context: AuthorityContext,
  { deviceId, userId }: DevicePrincipal,
  asking: string,
): Promise<void> {
  await requireBackupApp(context, userId);
  await inTransaction(context, async (trx) => {
    const at = context.now();
    const waiting = await waitingRequests(trx, { user: userId, without: deviceId, now: at });
    if (!waiting.some(({ device }) => device.id === asking)) throw new ProtocolError('not_found');
    await dropRequest(trx, asking);
    const details = { to: asking };
    await append(trx, {
      at,
      actor: `device:${deviceId}`,
      action: 'archive.key_given',
      target: `device:${asking}`,
      details,
    });
  });
}

export async function ownRequestEnds(context: AuthorityContext, { deviceId }: DevicePrincipal): Promise<number | null> {
  return (await waitingRequest(context.database.kysely, deviceId, context.now()))?.expires ?? null;
}
