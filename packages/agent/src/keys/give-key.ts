import type { ArchiveEndpoint } from '@holdfast/archive/endpoint/endpoint.ts';
import { equalBytes, fromHex } from '@holdfast/archive/format/ids.ts';
import type { DeviceList } from '@holdfast/archive/keys/device-list.ts';
import { type Identity, publicIdentity } from '@holdfast/archive/keys/identity.ts';
import { wrapIdentity } from '@holdfast/archive/keys/wrap.ts';
import type { DeviceContext } from '@holdfast/protocol/enrolment-routes.ts';
import { ProtocolError } from '@holdfast/protocol/errors.ts';
import { type KeyRequest, keyRequestRoutes } from '@holdfast/protocol/key-request-routes.ts';
import { AgentError } from '../errors.ts';
import type { Connection } from '../remote/connection.ts';
import type { EnrolledDevice } from '../state/device.ts';
import type { Home } from '../state/home.ts';
import { publicOf } from './device-keys.ts';
import { joinDeviceList, readDeviceList } from './device-list.ts';
import { deviceWords } from './device-words.ts';
import { acceptedIdentity } from './follow-identity.ts';
import { isSameIdentity } from './obtain-identity.ts';
import { wrapName } from './stored-keys.ts';

/**
 * The side of a device that holds the key (request-key.ts is the other). A request comes through the server, so nothing in it is believed:
 * the words are made of what it names and of this device's own identity, and the user compares them with those on the new device.
 */
export type GiveKeyOptions = {
  readonly home: Home;
  readonly device: EnrolledDevice;
  readonly connection: Connection;
  readonly context: DeviceContext;
  readonly now: () => number;
  readonly signal?: AbortSignal;
};

export type Waiting = {
  readonly request: KeyRequest;
  readonly words: string;
  /** Why it gets no key whatever its words are. */
  readonly refusal: AgentError | null;
};

export type KeyGiver = {
  waiting(): Promise<Waiting[]>;
  /** After the user has said that both devices show the same words. */
  give(waiting: Waiting): Promise<void>;
};

export async function openKeyGiver(options: GiveKeyOptions): Promise<KeyGiver> {
  const { home, device, connection, now, signal } = options;
  const endpoint = connection.endpoint(device.archive.id, null);
  const identity = await acceptedIdentity({ ...options, endpoint });
  const list = await readDeviceList(home, endpoint, identity, signal);
  const call = signal ? { signal } : {};
  return {
    async waiting() {
      const { requests } = await connection.authority.call(keyRequestRoutes.keyRequests, {}, call);
      return requests.map((request) => ({
        request,
        words: wordsOf(request, endpoint, identity),
        refusal: refusalOf(request, identity, list),
      }));
    },
    async give({ request, refusal }) {
      if (refusal !== null) throw refusal;
      const { id, name, publicKey, recipient } = request.device;
      await endpoint.putIdentityWrap(wrapName(recipient), await wrapIdentity(identity, { recipient }), signal);
      const listed = { deviceId: fromHex(id), publicKey: fromHex(publicKey), recipient, name, added: now() };
      await joinDeviceList(home, endpoint, identity, listed, { signal });
      await tellAnswered(connection, id, call);
    },
  };
}

/** It may have run out while the words were compared, or another device has answered too: the wrap is there all the same. */
async function tellAnswered({ authority }: Connection, device: string, call: { signal?: AbortSignal }): Promise<void> {
  try {
    await authority.call(keyRequestRoutes.answerKeyRequest, { params: { device } }, call);
  } catch (error) {
    if (!(error instanceof ProtocolError) || error.code !== 'not_found') throw error;
  }
}

const wordsOf = ({ device, nonce }: KeyRequest, { archiveId }: Pick<ArchiveEndpoint, 'archiveId'>, own: Identity) =>
  deviceWords({
    archiveId,
    identity: publicIdentity(own),
    device: { id: fromHex(device.id), publicKey: fromHex(device.publicKey), recipient: device.recipient },
    nonce: fromHex(nonce),
  });

/** What can be told without comparing words. Pure. */
export function refusalOf(
  { device, identity }: Pick<KeyRequest, 'device' | 'identity'>,
  own: Identity,
  list: DeviceList | null,
): AgentError | null {
  if (!isSameIdentity(publicOf(identity), publicIdentity(own)))
    return new AgentError('key_request_foreign', { what: `"${device.name}" was told of another identity` });
  const isRemoved = list?.devices.some(
    (listed) =>
      listed.removed !== null &&
      (equalBytes(listed.deviceId, fromHex(device.id)) ||
        equalBytes(listed.publicKey, fromHex(device.publicKey)) ||
        listed.recipient === device.recipient),
  );
  return isRemoved ? new AgentError('key_request_removed', { what: `"${device.name}" was removed` }) : null;
}
