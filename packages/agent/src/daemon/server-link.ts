import type { DeviceContext } from '@holdfast/protocol/enrolment-routes.ts';
import { enrolmentRoutes } from '@holdfast/protocol/enrolment-routes.ts';
import type { Time } from '../limits/token-bucket.ts';
import type { Limits } from '../present/presence.ts';
import { askOnce, type Connection, connect } from '../remote/connection.ts';
import type { Device, EnrolledDevice } from '../state/device.ts';
import type { Offline } from './decide.ts';

/**
 * The service's connection to its server: kept open between runs, made anew when the device is enrolled anew, and told how
 * much of the line it may take. While the server is away it is asked whether it is back, later each time and never all
 * devices at once.
 */
export type ServerLink = {
  /** The open connection of this device, and what the server says of it now. */
  open(device: EnrolledDevice, signal: AbortSignal): Promise<{ connection: Connection; context: DeviceContext }>;
  readonly offline: Offline | null;
  /** Bytes that the open connection has sent. */
  readonly uploaded: number;
  wentOffline(message: string): void;
  /** Asks whether the server answers; moves the next try on when it does not. */
  probe(device: EnrolledDevice, signal: AbortSignal): Promise<boolean>;
  /** What the server says of this device at this moment: one try, and nothing is concluded from it. */
  ask(device: Device, signal: AbortSignal): Promise<DeviceContext>;
  limit(limits: Pick<Limits, 'upload' | 'download'>): void;
  onWait(listen: (why: string | null) => void): void;
  close(): void;
};

export type LinkOptions = { readonly time: Time; readonly random: () => number };

/** A run goes on through a short break; after a longer one it ends, and begins again when the server is back. */
export const PATIENCE_OF_A_RUN_MS = 10 * 60_000;
const FIRST_PROBE_MS = 30_000;
const LONGEST_PROBE_MS = 15 * 60_000;

export function createServerLink({ time, random }: LinkOptions): ServerLink {
  let current: { connection: Connection; credential: string } | null = null;
  let offline: (Offline & { readonly tries: number }) | null = null;
  let listen: (why: string | null) => void = () => {};
  let limits: Pick<Limits, 'upload' | 'download'> = { upload: null, download: null };

  function connectionOf(device: EnrolledDevice): Connection {
    if (current !== null && current.credential === device.credential) return current.connection;
    current?.connection.close();
    const connection = connect({
      device,
      time,
      random,
      patienceMs: PATIENCE_OF_A_RUN_MS,
      onWait: (waiting) => listen(waiting === null ? null : (waiting.error as Error).message),
    });
    current = { connection, credential: device.credential };
    applyLimits();
    return connection;
  }

  function applyLimits(): void {
    current?.connection.upload.setRate(limits.upload);
    current?.connection.download.setRate(limits.download);
  }

  /** Full jitter, but never at once: a fleet that lost its server must not come back as one. */
  function nextTry(tries: number): number {
    const span = Math.min(LONGEST_PROBE_MS, FIRST_PROBE_MS * 2 ** Math.min(tries, 10));
    return time.now() + Math.round(span * (0.1 + 0.9 * random()));
  }

  return {
    get offline() {
      return offline;
    },
    get uploaded() {
      return current?.connection.upload.passed ?? 0;
    },
    async open(device, signal) {
      const connection = connectionOf(device);
      return { connection, context: await connection.context(signal) };
    },
    wentOffline(message) {
      offline = { since: offline?.since ?? time.now(), message, tries: 0, nextTry: nextTry(0) };
    },
    async probe(device, signal) {
      // A connection of its own: one try, without the patience of a run
      const { authority, close } = connect({ device, time, random, patienceMs: 0 });
      try {
        await authority.call(enrolmentRoutes.health, {}, { signal });
        offline = null;
        return true;
      } catch (error) {
        signal.throwIfAborted();
        const tries = (offline?.tries ?? 0) + 1;
        offline = {
          since: offline?.since ?? time.now(),
          message: (error as Error).message,
          tries,
          nextTry: nextTry(tries),
        };
        return false;
      } finally {
        close();
      }
    },
    ask: (device, signal) => askOnce({ device, time, random }, signal),
    limit(next) {
      limits = next;
      applyLimits();
    },
    onWait(next) {
      listen = next;
    },
    close() {
      current?.connection.close();
      current = null;
    },
  };
}
