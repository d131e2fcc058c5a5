import { callDaemon } from '../daemon/control.ts';
import { codeOf } from '../errors.ts';
import type { Device } from '../state/device.ts';
import type { Home } from '../state/home.ts';
import type { Context } from './context.ts';
import { EXIT, exitCodeOf } from './exit-codes.ts';
import { messageOf } from './output.ts';

/**
 * What the server says of this device at this moment. A command asks for itself: a device that was removed may not have
 * talked to the server since, and the service has no reason to while nothing changes.
 */
export type Standing =
  | { readonly kind: 'accepted' }
  /** Removed, its user blocked, or somebody else answers in the server's place. */
  | { readonly kind: 'refused'; readonly code: string; readonly message: string }
  | { readonly kind: 'unknown'; readonly code: string; readonly message: string };

/** A status is wanted at once: one try, and no longer than this, ms. */
const PATIENCE_MS = 5000;

export async function askStanding(
  context: Context,
  device: Pick<Device, 'authority' | 'credential'>,
  home: Pick<Home, 'control'>,
  served: boolean,
): Promise<Standing> {
  const signal = AbortSignal.any([context.signal, AbortSignal.timeout(PATIENCE_MS)]);
  try {
    if (!(served && (await askThroughService(home, signal)))) await askServer(context, device, signal);
    return { kind: 'accepted' };
  } catch (error) {
    context.signal.throwIfAborted();
    const kind = exitCodeOf(error) === EXIT.refused ? 'refused' : 'unknown';
    return { kind, code: codeOf(error) ?? 'offline', message: messageOf(error) };
  }
}

/** It asks then and there too, but has long loaded what that takes, which is more than Node itself. `false`: it has just ended. */
const askThroughService = async (home: Pick<Home, 'control'>, signal: AbortSignal): Promise<boolean> =>
  (await callDaemon(home, { do: 'standing' }, () => {}, signal)) !== null;

async function askServer(
  context: Context,
  device: Pick<Device, 'authority' | 'credential'>,
  signal: AbortSignal,
): Promise<void> {
  const { askOnce } = await import('../remote/connection.ts');
  const { networkOf } = await import('./server-access.ts');
  await askOnce({ device, ...networkOf(context, () => {}) }, signal);
}

/** What a person should know before all else; `null` where all is as it should be. */
export function describeStanding(standing: Standing): string | null {
  switch (standing.kind) {
    case 'accepted':
      return null;
    case 'refused':
      return standing.code === 'device_revoked'
        ? 'The server has removed this device: nothing is backed up any more. Enrol it again, or ask your administrator.'
        : `The server refuses this device, so nothing is backed up: ${standing.message}`;
    case 'unknown':
      return `The server does not answer now: ${standing.message}`;
    default:
      return standing satisfies never;
  }
}
