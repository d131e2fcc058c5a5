import type { ArchiveEndpoint } from '@holdfast/archive/endpoint/endpoint.ts';
import { ArchiveError } from '@holdfast/archive/errors.ts';
import { fromHex, toHex } from '@holdfast/archive/format/ids.ts';
import type { Identity } from '@holdfast/archive/keys/identity.ts';
import { unwrapIdentity } from '@holdfast/archive/keys/wrap.ts';
import { wrapsNamed } from '@holdfast/archive/store/wraps.ts';
import type { DeviceContext } from '@holdfast/protocol/enrolment-routes.ts';
import { ProtocolError } from '@holdfast/protocol/errors.ts';
import { KEY_REQUEST_LIFETIME_MS, keyRequestRoutes } from '@holdfast/protocol/key-request-routes.ts';
import { AgentError } from '../errors.ts';
import type { Time } from '../limits/token-bucket.ts';
import type { Connection } from '../remote/connection.ts';
import { type Device, type EnrolledDevice, writeDevice } from '../state/device.ts';
import type { Home } from '../state/home.ts';
import { dropKeyRequest, type OwnKeyRequest, readKeyRequest, writeKeyRequest } from '../state/key-request.ts';
import { deviceSigningKey, type FillRandom, publicOf } from './device-keys.ts';
import { deviceWords } from './device-words.ts';
import { joinArchive } from './join-archive.ts';
import { wrapName } from './stored-keys.ts';

/**
 * The side of the device that lacks the key. What it is told by the server counts only after its user has seen the same words on a
 * device that holds the key (give-key.ts is that side).
 *
 * ```
 * note the identity that the server names, then choose a nonce     state/key-request.json: kept for an hour
 * ask through the authority; show the words
 * wait for a wrap that opens to that identity, and no other
 * the user says that both devices showed the same words
 * join the archive: its key files open, the device is on the list
 * ```
 */
export type KeyRequestOptions = {
  readonly home: Home;
  readonly device: Device;
  readonly connection: Connection;
  readonly context: DeviceContext;
  readonly fillRandom: FillRandom;
  readonly time: Pick<Time, 'now' | 'sleep'>;
  readonly signal?: AbortSignal;
};

export type Asked = { readonly request: OwnKeyRequest; readonly words: string; readonly expires: number };

export async function askForKey(options: KeyRequestOptions): Promise<Asked> {
  const { device, connection, signal } = options;
  const request = currentRequest(options);
  const { nonce, archive } = request;
  const identity = { recipient: archive.recipient, signingKey: archive.signingKey };
  const body = { nonce, identity };
  const { expires } = await connection.authority.call(keyRequestRoutes.requestKey, { body }, signal ? { signal } : {});
  const { publicKey } = await deviceSigningKey(device);
  const words = deviceWords({
    archiveId: fromHex(archive.id),
    identity: publicOf(archive),
    device: { id: fromHex(device.id), publicKey, recipient: device.keys.recipient },
    nonce: fromHex(nonce),
  });
  return { request, words, expires };
}

/** The one that is kept, as long as it lasts and the server names the same identity. The nonce is drawn after that is known. */
function currentRequest({ home, context, fillRandom, time }: KeyRequestOptions): OwnKeyRequest {
  const { id, recipient, signingKey } = context.archive;
  if (id === null || recipient === null || signingKey === null) throw new ProtocolError('archive_missing');
  const kept = readKeyRequest(home);
  const age = kept === null ? 0 : time.now() - kept.made;
  const isSame =
    kept !== null &&
    kept.archive.id === id &&
    kept.archive.recipient === recipient &&
    kept.archive.signingKey === signingKey;
  if (isSame && age >= 0 && age < KEY_REQUEST_LIFETIME_MS) return kept;
  const nonce = new Uint8Array(32);
  fillRandom(nonce);
  const request = { archive: { id, recipient, signingKey }, nonce: toHex(nonce), made: time.now() };
  writeKeyRequest(home, request);
  return request;
}

const POLL_MS = 2000;

/** Resolves when another device has wrapped the identity to this one; nothing is accepted yet. */
export async function waitForKey(options: KeyRequestOptions, { request }: Asked): Promise<Identity> {
  const { connection, device, time, signal } = options;
  const endpoint = connection.endpoint(request.archive.id, null);
  for (;;) {
    // Asked first: whoever answers puts the wrap before the request ends
    const { expires } = await connection.authority.call(keyRequestRoutes.ownKeyRequest, {}, signal ? { signal } : {});
    const identity = await wrappedIdentity(endpoint, device, request, signal);
    if (identity !== null) return identity;
    if (expires === null) {
      dropKeyRequest(options.home);
      throw new AgentError('key_request_ended');
    }
    await time.sleep(POLL_MS, signal);
  }
}

/** `null` while no wrap for this device opens to the identity that the words stand for: others are the store's own affair. */
async function wrappedIdentity(
  endpoint: Pick<ArchiveEndpoint, 'identityWraps'>,
  { keys }: Device,
  { archive }: OwnKeyRequest,
  signal?: AbortSignal,
): Promise<Identity | null> {
  for (const { bytes } of wrapsNamed(await endpoint.identityWraps(signal), wrapName(keys.recipient))) {
    try {
      return await unwrapIdentity(bytes, { ageIdentity: keys.age }, publicOf(archive));
    } catch (error) {
      if (!(error instanceof ArchiveError)) throw error;
    }
  }
  return null;
}

/** After the user has said that both devices show the same words. */
export async function acceptKey(
  options: KeyRequestOptions,
  { request }: Asked,
  identity: Identity,
): Promise<EnrolledDevice> {
  const { home, device, connection, time, signal } = options;
  const endpoint = connection.endpoint(request.archive.id, null);
  await joinArchive({ home, device, endpoint, identity, now: time.now, signal });
  const enrolled = { ...device, archive: request.archive };
  writeDevice(home, enrolled);
  await endKeyRequest(options);
  return enrolled;
}

export async function endKeyRequest({ home, connection, signal }: KeyRequestOptions): Promise<void> {
  dropKeyRequest(home);
  await connection.authority.call(keyRequestRoutes.endKeyRequest, {}, signal ? { signal } : {});
}
