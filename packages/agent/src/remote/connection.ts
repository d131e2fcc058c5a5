import type { ArchiveEndpoint } from '@holdfast/archive/endpoint/endpoint.ts';
import { fromHex } from '@holdfast/archive/format/ids.ts';
import { deviceRoutes } from '@holdfast/protocol/device-routes.ts';
import type { DeviceContext } from '@holdfast/protocol/enrolment-routes.ts';
import { type Bucket, createBucket, type Time } from '../limits/token-bucket.ts';
import type { Device } from '../state/device.ts';
import { createRemoteClient, type RemoteClient } from './remote-client.ts';
import { createRemoteEndpoint } from './remote-endpoint.ts';
import type { Retry } from './retrying.ts';
import { createTransport } from './transport.ts';

/**
 * The device's connection to its server: the authority, and the archive at each destination. Composed here and nowhere else:
 * transport (one CA, kept to a rate) -> retries -> tokens.
 */
export type Connection = {
  readonly authority: RemoteClient;
  readonly upload: Bucket;
  readonly download: Bucket;
  /** The device's clock, ms. */
  readonly now: () => number;
  /** Who we are to the server, as it says now. */
  context(signal?: AbortSignal): Promise<DeviceContext>;
  /** An archive of this user; `destination` null is the user's own. */
  endpoint(archive: string, destination: string | null): ArchiveEndpoint;
  close(): void;
};

export type ConnectionOptions = {
  readonly device: Pick<Device, 'authority' | 'credential'>;
  readonly time: Time;
  readonly random: () => number;
  /** How long to go on trying when the server does not answer. */
  readonly patienceMs: number;
  readonly onWait?: Retry['onWait'];
};

/** A person waits before the screen: try again, but not for long. */
export const PATIENCE_OF_A_PERSON_MS = 30_000;

export function connect({ device, time, random, patienceMs, onWait }: ConnectionOptions): Connection {
  const upload = createBucket(time);
  const download = createBucket(time);
  const { base, caCertificate } = device.authority;
  const transport = createTransport({ ca: caCertificate, upload, download });
  const retry: Retry = { time, random, patienceMs, ...(onWait && { onWait }) };
  const tokens = { token: () => device.credential, renew: () => false };
  const authority = createRemoteClient({ base, transport, tokens, retry });
  return {
    authority,
    upload,
    download,
    now: time.now,
    context: (signal) => authority.call(deviceRoutes.context, {}, signal ? { signal } : {}),
    endpoint: (archive, destination) =>
      createRemoteEndpoint({
        archiveId: fromHex(archive),
        authority,
        transport,
        retry,
        now: time.now,
        destination,
      }),
    close: () => transport.close(),
  };
}

/** What the server says of this device at this moment: one try, on a connection of its own. */
export async function askOnce(
  options: Pick<ConnectionOptions, 'device' | 'time' | 'random'>,
  signal: AbortSignal,
): Promise<DeviceContext> {
  const { device, time, random } = options;
  const { context, close } = connect({ device, time, random, patienceMs: 0 });
  try {
    return await context(signal);
  } finally {
    close();
  }
}
