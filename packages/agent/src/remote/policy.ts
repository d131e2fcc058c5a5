import { deviceRoutes } from '@holdfast/protocol/device-routes.ts';
import type { Home } from '../state/home.ts';
import { editSettings, type Policy, type Settings } from '../state/settings.ts';
import type { RemoteClient } from './remote-client.ts';

/** Fetches what the server tells this device to do and keeps it: sets, limits, retention. */
export async function fetchPolicy(
  home: Home,
  authority: Pick<RemoteClient, 'call'>,
  now: number,
  signal?: AbortSignal,
): Promise<Settings> {
  const policy = await authority.call(deviceRoutes.settings, {}, signal ? { signal } : {});
  return editSettings(home, (settings) => {
    const isSame = JSON.stringify(retentions(settings.policy)) === JSON.stringify(retentions(policy));
    return { ...settings, policy, retentionSince: isSame ? settings.retentionSince : now };
  });
}

const retentions = (policy: Policy | null): unknown => policy?.sets.map(({ id, retention }) => [id, retention]) ?? null;
