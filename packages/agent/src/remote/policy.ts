import { deviceRoutes } from '@holdfast/protocol/device-routes.ts';
import type { Home } from '../state/home.ts';
import { editSettings, type Settings } from '../state/settings.ts';
import type { RemoteClient } from './remote-client.ts';

/** Fetches what the server tells this device to do and keeps it: sets, limits, retention. */
export async function fetchPolicy(
  home: Home,
  authority: Pick<RemoteClient, 'call'>,
  signal?: AbortSignal,
): Promise<Settings> {
  const policy = await authority.call(deviceRoutes.settings, {}, signal ? { signal } : {});
  return editSettings(home, (settings) => ({ ...settings, policy }));
}
