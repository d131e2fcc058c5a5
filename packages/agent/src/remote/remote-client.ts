import { type CallOptions, type Client, createClient } from '@holdfast/protocol/client.ts';
import { ProtocolError } from '@holdfast/protocol/errors.ts';
import type { Input, Reply, Route } from '@holdfast/protocol/route.ts';
import { explainUnreachable } from './failures.ts';
import { type Retry, retrying } from './retrying.ts';
import type { AgentTransport } from './transport.ts';

/** The protocol's client with what a device on a real network needs: other tries, renewed tokens, errors that say what is wrong. */
export type RemoteClient = {
  readonly base: string;
  call<const R extends Route>(route: R, input: Input<R>, options?: CallOptions): Promise<Reply<R>>;
};

export type TokenSource = {
  token(signal?: AbortSignal): Promise<string> | string;
  /** The server did not take it: the next one must be another. `false` when there is no other. */
  renew(): boolean;
};

export type RemoteClientOptions = {
  readonly base: string;
  readonly transport: Pick<AgentTransport, 'send'>;
  readonly tokens: TokenSource | null;
  readonly retry: Retry;
};

const EXPIRED: ReadonlySet<string> = new Set(['capability_expired', 'capability_invalid', 'capability_revoked']);

export function createRemoteClient({ base, transport, tokens, retry }: RemoteClientOptions): RemoteClient {
  const client: Client = createClient({
    base,
    transport: transport.send,
    ...(tokens && { token: (_route, signal) => tokens.token(signal) }),
  });

  async function once<const R extends Route>(route: R, input: Input<R>, options: CallOptions): Promise<Reply<R>> {
    try {
      return await client.call(route, input, options);
    } catch (error) {
      const renewable = error instanceof ProtocolError && EXPIRED.has(error.code) && tokens?.renew() === true;
      if (!renewable) throw explainUnreachable(error, base);
    }
    try {
      return await client.call(route, input, options);
    } catch (error) {
      throw explainUnreachable(error, base);
    }
  }

  return {
    base,
    call: (route, input, options = {}) => retrying(retry, () => once(route, input, options), options.signal),
  };
}
