import type { DeviceSettings } from '@holdfast/protocol/device-settings.ts';
import { AgentError } from '../errors.ts';
import { formatDuration, formatRate, formatShare, parseDuration, parseRate, parseShare } from './units.ts';

/**
 * What a person may set on a device, as data: name, meaning, how it is written. The server's policy brings the first
 * six; a value set on the device goes before it, which goes before the default.
 *
 * *Present* is while somebody uses the device (terminal or desktop input within `away.after`), *away* is otherwise. A
 * share of the CPU is of one core, for each worker.
 */
export type Values = {
  readonly 'cpu.present': number;
  readonly 'cpu.away': number;
  readonly 'upload.present': number | null;
  readonly 'upload.away': number | null;
  readonly 'download.present': number | null;
  readonly 'download.away': number | null;
  readonly 'away.after': number;
  readonly 'battery.floor': number;
  readonly watch: boolean;
  readonly workers: number | null;
};
export type SettingName = keyof Values;

type Definition<T> = {
  readonly means: string;
  readonly takes: string;
  readonly initial: T;
  readonly parse: (text: string) => T;
  readonly format: (value: T) => string;
  /** What an own or a policy's stored value must be. */
  readonly is: (value: unknown) => boolean;
};

const MINUTE = 60_000;

const share = (means: string, initial: number): Definition<number> => ({
  means,
  takes: '1% to 100%',
  initial,
  parse: (text) => atLeast(parseShare(text), 0.01, text),
  format: formatShare,
  is: (v) => typeof v === 'number' && v >= 0.01 && v <= 1,
});

const rate = (means: string): Definition<number | null> => ({
  means,
  takes: 'bytes a second as 500K or 10M; 0 for no limit',
  initial: null,
  parse: parseRate,
  format: formatRate,
  is: (v) => v === null || (typeof v === 'number' && v > 0),
});

export const SETTINGS: { readonly [K in SettingName]: Definition<Values[K]> } = {
  'cpu.present': share('CPU while somebody uses the device', 0.2),
  'cpu.away': share('CPU while nobody does', 0.8),
  'upload.present': rate('upload while somebody uses the device'),
  'upload.away': rate('upload while nobody does'),
  'download.present': rate('download while somebody uses the device'),
  'download.away': rate('download while nobody does'),
  'away.after': {
    means: 'time without input after which nobody uses the device',
    takes: 'a duration as 15m',
    initial: 15 * MINUTE,
    parse: (text) => atLeast(parseDuration(text), MINUTE, text),
    format: formatDuration,
    is: (v) => typeof v === 'number' && v >= MINUTE,
  },
  'battery.floor': {
    means: 'charge below which the service waits while it runs on battery',
    takes: '0% to 100%',
    initial: 0.2,
    parse: parseShare,
    format: formatShare,
    is: (v) => typeof v === 'number' && v >= 0 && v <= 1,
  },
  watch: {
    means: 'whether the service watches folders between runs instead of walking them',
    takes: 'on or off',
    initial: true,
    parse: parseSwitch,
    format: (value) => (value ? 'on' : 'off'),
    is: (v) => typeof v === 'boolean',
  },
  workers: {
    means: 'how many threads cut, compress and seal',
    takes: '1 to 64, or auto for one per core',
    initial: null,
    parse: parseWorkers,
    format: (value) => (value === null ? 'auto' : String(value)),
    is: (v) => v === null || (Number.isInteger(v) && (v as number) >= 1 && (v as number) <= 64),
  },
};

export const SETTING_NAMES = Object.keys(SETTINGS) as SettingName[];

export function settingName(name: string): SettingName {
  if (!Object.hasOwn(SETTINGS, name)) throw new AgentError('setting_unknown', { what: `"${name}" is no setting` });
  return name as SettingName;
}

export function parseSetting<K extends SettingName>(name: K, text: string): Values[K] {
  return SETTINGS[name].parse(text);
}

export const formatSetting = <K extends SettingName>(name: K, value: Values[K]): string =>
  (SETTINGS[name].format as (value: Values[K]) => string)(value);

/** Where the value in force comes from. */
export type Source = 'device' | 'policy' | 'default';

export function valuesInForce(
  own: Partial<Values>,
  limits: DeviceSettings['limits'] | null,
): { readonly values: Values; readonly from: Readonly<Record<SettingName, Source>> } {
  const policy = limits === null ? {} : fromPolicy(limits);
  const initial = Object.fromEntries(SETTING_NAMES.map((name) => [name, SETTINGS[name].initial])) as unknown as Values;
  const from = Object.fromEntries(
    SETTING_NAMES.map((name) => [name, name in own ? 'device' : name in policy ? 'policy' : 'default']),
  ) as Record<SettingName, Source>;
  return { values: { ...initial, ...policy, ...own }, from };
}

function fromPolicy({ present, away }: DeviceSettings['limits']): Partial<Values> {
  return {
    'cpu.present': present.cpu,
    'cpu.away': away.cpu,
    'upload.present': present.upload,
    'upload.away': away.upload,
    'download.present': present.download,
    'download.away': away.download,
  };
}

function parseSwitch(text: string): boolean {
  if (/^(on|yes|true)$/i.test(text)) return true;
  if (/^(off|no|false)$/i.test(text)) return false;
  throw new AgentError('setting_invalid', { what: `"${text}" is neither on nor off` });
}

function parseWorkers(text: string): number | null {
  if (text === 'auto') return null;
  const workers = Number(text);
  if (Number.isInteger(workers) && workers >= 1 && workers <= 64) return workers;
  throw new AgentError('setting_invalid', { what: `"${text}" is no number of threads` });
}

function atLeast(value: number, least: number, text: string): number {
  if (value < least) throw new AgentError('setting_invalid', { what: `"${text}" is too little` });
  return value;
}
