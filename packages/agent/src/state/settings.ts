import { join } from 'node:path';
import type { DeviceSettings } from '@holdfast/protocol/device-settings.ts';
import { AgentError } from '../errors.ts';
import { SETTINGS, type SettingName, type Values, valuesInForce } from '../limits/settings.ts';
import { type BackupSet, parseSet } from '../sets/backup-set.ts';
import { unknownSet } from '../sets/unknown-set.ts';
import type { Home } from './home.ts';
import { tryLock } from './lock.ts';
import { type Fields, isFields, list, number, optional, readRecord, writeRecord } from './record.ts';

/**
 * What the device is told to do: the server's policy as last fetched, and what a person changed here. An edited set keeps
 * its id, so its chain of snapshots goes on.
 */
export type Settings = {
  readonly policy: Policy | null;
  /** When the retention of the policy last changed, ms; what was retired before is not judged by it. */
  readonly retentionSince: number | null;
  readonly own: {
    /** New sets, and edited copies of the policy's. */
    readonly sets: readonly BackupSet[];
    /** Ids of policy sets that were removed here. */
    readonly removed: readonly string[];
    readonly values: Partial<Values>;
  };
};

export type Policy = Omit<DeviceSettings, 'sets'> & { readonly sets: readonly BackupSet[] };

export const NO_SETTINGS: Settings = { policy: null, retentionSince: null, own: { sets: [], removed: [], values: {} } };

/** How long a change waits for another one in progress. */
const EDIT_WAIT_MS = 5000;

export function readSettings(home: Home): Settings {
  return readRecord(join(home.state, 'settings.json'), parseSettings) ?? NO_SETTINGS;
}

/** Reads, changes and writes under a lock, so that two commands at once lose nothing. */
export function editSettings(home: Home, change: (settings: Settings) => Settings): Settings {
  const lock = tryLock(join(home.locks, 'settings'), EDIT_WAIT_MS);
  if (lock === null) throw new AgentError('busy', { what: 'The settings are being changed' });
  try {
    const changed = change(readSettings(home));
    writeRecord(join(home.state, 'settings.json'), changed);
    return changed;
  } finally {
    lock.release();
  }
}

/** The sets in force, first to run first. */
export function setsOf({ policy, own }: Settings): readonly BackupSet[] {
  const replaced = new Set([...own.removed, ...own.sets.map((set) => set.id)]);
  const kept = (policy?.sets ?? []).filter((set) => !replaced.has(set.id));
  const sets = [...kept, ...own.sets.map((set) => ({ ...set, retention: retentionOf(policy, set) }))];
  return sets.sort((a, b) => a.priority - b.priority || a.name.localeCompare(b.name));
}

/** The server retires by its policy, whatever a device says: each set's own, and the first one's for sets made on devices. */
export function retentionOf(policy: Policy | null, set: Pick<BackupSet, 'id' | 'retention'>): BackupSet['retention'] {
  const [first] = policy?.sets ?? [];
  return (policy?.sets.find(({ id }) => id === set.id) ?? first ?? set).retention;
}

export const valuesOf = ({ policy, own }: Settings): Values => valuesInForce(own.values, policy?.limits ?? null).values;

/** By name, or by id where a name is not unique. */
export function findSet(settings: Settings, name: string): BackupSet {
  const set = setsOf(settings).find((candidate) => candidate.name === name || candidate.id === name);
  if (set === undefined) throw unknownSet(name, setsOf(settings));
  return set;
}

function parseSettings(fields: Fields): Settings {
  const own = fields['own'];
  if (!isFields(own)) throw new TypeError('own should be an object');
  return {
    policy: fields['policy'] === null ? null : parsePolicy(fields['policy']),
    retentionSince: optional(number, fields, 'retentionSince'),
    own: {
      sets: list(own, 'sets').map(parseSet),
      removed: list(own, 'removed').map(String),
      values: parseValues(own['values']),
    },
  };
}

function parsePolicy(value: unknown): Policy {
  if (!isFields(value)) throw new TypeError('policy should be an object');
  const limits = value['limits'];
  if (!isFields(limits)) throw new TypeError('limits should be an object');
  return {
    revision: number(value, 'revision'),
    sets: list(value, 'sets').map(parseSet),
    limits: { present: parseLimits(limits['present']), away: parseLimits(limits['away']) },
  };
}

function parseLimits(value: unknown): DeviceSettings['limits']['present'] {
  if (!isFields(value)) throw new TypeError('limits should be objects');
  const rate = (name: string) => (value[name] === null ? null : number(value, name));
  return { cpu: number(value, 'cpu'), upload: rate('upload'), download: rate('download') };
}

/** Settings of a newer program are kept out, not refused: they mean nothing here. */
function parseValues(value: unknown): Partial<Values> {
  if (!isFields(value)) throw new TypeError('values should be an object');
  const known = Object.entries(value).filter(([name]) => Object.hasOwn(SETTINGS, name));
  for (const [name, set] of known) {
    if (!SETTINGS[name as SettingName].is(set)) throw new TypeError(`${name} does not fit`);
  }
  return Object.fromEntries(known) as Partial<Values>;
}
