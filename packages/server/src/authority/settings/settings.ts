import {
  type BackupSetSetting,
  DEFAULT_RETENTION,
  type DeviceSettings,
  deviceSettings,
} from '@holdfast/protocol/device-settings.ts';
import { type AuthorityContext, newId } from '../context.ts';
import type { AuthorityQueries } from '../tables.ts';

/** Settings of devices: one scope so far, numbered by a revision that grows with each change. */

const DEFAULT_SCOPE = 'default';

const value = deviceSettings.omit({ revision: true });
type Value = Omit<DeviceSettings, 'revision'>;

/** Not worth a byte of anybody's store: caches, and what the system makes anew. */
const DEFAULT_EXCLUDE: BackupSetSetting['exclude'] = {
  all: ['**/.cache/**', '**/node_modules/.cache/**', '**/.Trash*/**'],
  linux: ['**/.local/share/Trash/**'],
  darwin: ['**/Library/Caches/**', '**/.Trash/**'],
  win32: ['**/AppData/Local/Temp/**', '**/$RECYCLE.BIN/**'],
};

const defaults = (setId: string): Value => ({
  sets: [
    {
      id: setId,
      name: 'Home',
      priority: 1,
      everyMinutes: 15,
      fullWalkAt: '03:00',
      roots: ['~'],
      exclude: DEFAULT_EXCLUDE,
      retention: DEFAULT_RETENTION,
    },
  ],
  limits: {
    present: { cpu: 0.2, upload: null, download: null },
    away: { cpu: 0.8, upload: null, download: null },
  },
});

export async function insertDefaultSettings(context: AuthorityContext, queries: AuthorityQueries): Promise<void> {
  const row = { scope: DEFAULT_SCOPE, revision: 1, value: JSON.stringify(defaults(newId(context))) };
  await queries.insertInto('settings').values(row).execute();
}

export async function settingsOf(queries: AuthorityQueries): Promise<DeviceSettings> {
  const row = await queries
    .selectFrom('settings')
    .selectAll()
    .where('scope', '=', DEFAULT_SCOPE)
    .executeTakeFirstOrThrow();
  return { ...value.parse(JSON.parse(row.value)), revision: row.revision };
}

export async function settingsRevision(queries: AuthorityQueries): Promise<number> {
  const row = await queries
    .selectFrom('settings')
    .select('revision')
    .where('scope', '=', DEFAULT_SCOPE)
    .executeTakeFirstOrThrow();
  return row.revision;
}
