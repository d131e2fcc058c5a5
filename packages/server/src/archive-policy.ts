import type { DeviceSettings } from '@holdfast/protocol/device-settings.ts';
import type { ArchivePolicy } from './storage/maintenance/policy.ts';

/** What the settings of devices decide about retention: each set's own, and the first one's for sets that devices made. */
export function archivePolicy({ sets }: Pick<DeviceSettings, 'sets'>): ArchivePolicy {
  const [first] = sets;
  return {
    ...(first && { default: first.retention }),
    sets: Object.fromEntries(sets.map((set) => [set.id, set.retention])),
  };
}
