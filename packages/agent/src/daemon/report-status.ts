import { deviceRoutes } from '@holdfast/protocol/device-routes.ts';
import type { DeviceStatus } from '@holdfast/protocol/device-settings.ts';
import { fetchPolicy } from '../remote/policy.ts';
import type { EnrolledDevice } from '../state/device.ts';
import type { Home } from '../state/home.ts';
import type { Settings } from '../state/settings.ts';
import { VERSION } from '../version.ts';
import type { ServerLink } from './server-link.ts';
import type { DaemonStatus, SetStatus, Status } from './status.ts';

/** Tells the server how this device is doing; fetches the policy when the server has a newer one. */
type Options = {
  readonly home: Home;
  readonly device: EnrolledDevice;
  readonly link: Pick<ServerLink, 'open'>;
  readonly settings: Settings;
  readonly status: Status;
  readonly now: number;
  readonly signal: AbortSignal;
};

/** The new settings, or `null` when nothing changed. */
export async function reportStatus({
  home,
  device,
  link,
  settings,
  status,
  now,
  signal,
}: Options): Promise<Settings | null> {
  const { connection, context } = await link.open(device, signal);
  const body = deviceStatusOf(
    status,
    settings,
    context.destinations.map(({ id }) => id),
  );
  const { settingsRevision } = await connection.authority.call(deviceRoutes.status, { body }, { signal });
  if (settingsRevision === settings.policy?.revision) return null;
  return fetchPolicy(home, connection.authority, now, signal);
}

export function deviceStatusOf(status: Status, settings: Settings, destinations: readonly string[]): DeviceStatus {
  const sets = status.sets.flatMap((set) => destinations.map((destination) => setStatusOf(set, status, destination)));
  return { version: VERSION, settingsRevision: settings.policy?.revision ?? null, sets: sets.slice(0, 64) };
}

function setStatusOf(
  { id, name, run }: SetStatus,
  { daemon }: Status,
  destination: string,
): DeviceStatus['sets'][number] {
  const { failure, last, doneAt } = run;
  const state = stateOf(name, daemon, failure !== null);
  const waiting = state === 'waiting' || state === 'paused' ? (daemon?.waiting ?? null) : null;
  const reason = waiting ?? failure;
  return {
    set: id,
    destination,
    state,
    reason: reason && { code: reason.code.slice(0, 64), message: reason.message.slice(0, 1024) },
    lastSnapshot: last?.kind === 'committed' ? Math.round(last.at) : null,
    currentAt: doneAt === null ? null : Math.round(doneAt),
    filesPending: null,
    bytesPending: null,
  };
}

function stateOf(name: string, daemon: DaemonStatus | null, failed: boolean): DeviceStatus['sets'][number]['state'] {
  if (daemon?.running?.set === name) return 'running';
  if (daemon?.waiting) return daemon.waiting.code === 'paused' ? 'paused' : 'waiting';
  return failed ? 'failed' : 'idle';
}
