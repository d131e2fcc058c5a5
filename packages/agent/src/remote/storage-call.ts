import type { Purpose } from '@holdfast/archive/endpoint/endpoint.ts';
import { ProtocolError } from '@holdfast/protocol/errors.ts';
import type { Input, Reply, Route } from '@holdfast/protocol/route.ts';
import { capabilityFor, createCapability } from './capability.ts';
import { createRemoteClient, type RemoteClient } from './remote-client.ts';
import type { Retry } from './retrying.ts';
import type { AgentTransport } from './transport.ts';

export type StorageCallOptions = {
  readonly authority: RemoteClient;
  readonly transport: AgentTransport;
  readonly retry: Retry;
  readonly now: () => number;
  /** Destination id, hex; null for the user's own. */
  readonly destination: string | null;
};

/** One request to the storage server of a destination, with the capability that its purpose needs. */
export type StorageCall = <const R extends Route>(
  purpose: Purpose,
  route: R,
  input: Input<R>,
  signal?: AbortSignal,
  headers?: Record<string, string>,
) => Promise<Reply<R>>;

/** One client for each purpose, made when it is first needed. */
export function createStorageCall({ authority, transport, retry, now, destination }: StorageCallOptions): StorageCall {
  const clients = new Map<string, Promise<RemoteClient>>();

  async function connect(purpose: ReturnType<typeof capabilityFor>, signal?: AbortSignal): Promise<RemoteClient> {
    const tokens = createCapability({ authority, purpose, destination, now });
    const granted = await tokens.granted(signal);
    const base = storageBase(granted.destination.storage[0] ?? '/', authority.base);
    return createRemoteClient({ base, transport, tokens, retry });
  }

  return async (purpose, route, input, signal, headers) => {
    signal?.throwIfAborted();
    const granted = capabilityFor(purpose);
    let client = clients.get(granted);
    if (client === undefined) {
      client = connect(granted, signal);
      clients.set(granted, client);
      client.catch(() => clients.delete(granted));
    }
    const options = { ...(signal && { signal }), ...(headers && { headers }) };
    return (await client).call(route, input, options);
  };
}

/** Paths are meant relative to the authority's own address. A capability travels no less guarded than to the authority. */
function storageBase(address: string, authority: string): string {
  const url = URL.parse(address, authority);
  if (url === null || (url.protocol !== 'https:' && url.protocol !== new URL(authority).protocol))
    throw new ProtocolError('bad_reply', {
      message: `The server names a storage at "${address}", which is no HTTPS address.`,
    });
  return url.href.replace(/\/$/, '');
}
