import type { Purpose } from '@holdfast/archive/endpoint/endpoint.ts';
import type { CapabilityPurpose } from '@holdfast/protocol/capability.ts';
import { deviceRoutes } from '@holdfast/protocol/device-routes.ts';
import type { Destination } from '@holdfast/protocol/enrolment-routes.ts';
import type { RemoteClient, TokenSource } from './remote-client.ts';

/**
 * The note from the authority that a storage server wants to see. It lives ten minutes; a new one is asked for well before that,
 * by one request for all who wait, so that a long backup never stops at it.
 */
export type Granted = { readonly token: string; readonly archive: string; readonly destination: Destination };

export type Capability = TokenSource & { granted(signal?: AbortSignal): Promise<Granted> };

type Options = {
  readonly authority: Pick<RemoteClient, 'call'>;
  readonly purpose: CapabilityPurpose;
  /** Which destination; the user's own where nothing is said. */
  readonly destination: string | null;
  readonly now: () => number;
};

export function createCapability({ authority, purpose, destination, now }: Options): Capability {
  let current: (Granted & { readonly until: number }) | null = null;
  let asking: Promise<Granted> | null = null;

  async function ask(): Promise<Granted> {
    const asked = now();
    const body = destination === null ? { purpose } : { purpose, destination };
    const reply = await authority.call(deviceRoutes.capability, { body });
    // Its own clock counts from the request: the server's may show another time
    current = { ...reply, until: asked + reply.renewAfter * 1000 };
    return current;
  }

  function granted(signal?: AbortSignal): Promise<Granted> {
    signal?.throwIfAborted();
    const at = now();
    if (current !== null && at < current.until && at > current.until - 3_600_000) return Promise.resolve(current);
    asking ??= ask().finally(() => {
      asking = null;
    });
    return signal === undefined ? asking : abortable(asking, signal);
  }

  return {
    granted,
    token: async (signal) => (await granted(signal)).token,
    renew() {
      current = null;
      return true;
    },
  };
}

/** Others may wait for the same answer, so only this one stops waiting. */
function abortable<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const abort = () => reject(signal.reason as Error);
    signal.addEventListener('abort', abort, { once: true });
    promise.then(resolve, reject).finally(() => signal.removeEventListener('abort', abort));
  });
}

/** A copy is read like a restore. */
export const capabilityFor = (purpose: Purpose): CapabilityPurpose => (purpose === 'copy' ? 'restore' : purpose);
