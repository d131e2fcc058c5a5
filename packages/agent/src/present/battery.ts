import { execFile } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';

/** What the device runs on. `charge` is the share that is left, null where there is no battery. */
export type Power = { readonly onBattery: boolean; readonly charge: number | null };

const MAINS: Power = { onBattery: false, charge: null };
const TIMEOUT_MS = 10_000;
const run = promisify(execFile);

/** A device that cannot be asked runs on mains: a backup that is never made is worse than an empty battery. */
export async function readPower(platform: NodeJS.Platform): Promise<Power> {
  switch (platform) {
    case 'linux':
      return readPowerSupplies('/sys/class/power_supply');
    case 'darwin':
      return parsePmset((await run('pmset', ['-g', 'batt'], { timeout: TIMEOUT_MS })).stdout);
    case 'win32':
      return parseWindowsBattery((await run('powershell', WINDOWS_QUESTION, { timeout: TIMEOUT_MS })).stdout);
    default:
      return MAINS;
  }
}

/** Batteries of mice and headsets have the scope "Device" and do not count. */
export function readPowerSupplies(folder: string): Power {
  const supplies = namesIn(folder).map((name) => {
    const read = (file: string) => readText(join(folder, name, file));
    return {
      type: read('type'),
      scope: read('scope'),
      online: read('online'),
      status: read('status'),
      capacity: read('capacity'),
    };
  });
  const batteries = supplies.filter(({ type, scope }) => type === 'Battery' && scope !== 'Device');
  const charges = batteries.map(({ capacity }) => Number(capacity) / 100).filter((share) => share >= 0 && share <= 1);
  if (charges.length === 0) return MAINS;
  const isPlugged = supplies.some(({ type, online }) => type !== 'Battery' && online === '1');
  const isDraining = batteries.some(({ status }) => status === 'Discharging');
  return { onBattery: isDraining && !isPlugged, charge: Math.max(...charges) };
}

/** `Now drawing from 'Battery Power'` and ` -InternalBattery-0 (id=1)	57%; discharging; ...` */
export function parsePmset(text: string): Power {
  const charge = /(\d{1,3})%/.exec(text);
  if (charge === null) return MAINS;
  return { onBattery: text.includes("'Battery Power'"), charge: Number(charge[1]) / 100 };
}

const WINDOWS_QUESTION = [
  '-NoProfile',
  '-NonInteractive',
  '-Command',
  'Get-CimInstance Win32_Battery | ForEach-Object { "$($_.BatteryStatus) $($_.EstimatedChargeRemaining)" }',
];

/** Win32_Battery: status 1 is discharging, 4 and 5 are low and critical. */
export function parseWindowsBattery(text: string): Power {
  const match = /^(\d+) (\d+)\s*$/m.exec(text);
  if (match === null) return MAINS;
  return { onBattery: ['1', '4', '5'].includes(match[1]!), charge: Number(match[2]) / 100 };
}

/** Whether the service should rather wait for a plug. */
export const isBelowFloor = ({ onBattery, charge }: Power, floor: number): boolean =>
  onBattery && charge !== null && charge < floor;

function namesIn(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch {
    return []; // no such class on this kernel
  }
}

function readText(path: string): string {
  try {
    return readFileSync(path, 'utf8').trim();
  } catch {
    return ''; // supplies differ in what they tell
  }
}
