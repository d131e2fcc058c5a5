import { AgentError } from '../errors.ts';

/** Durations, sizes, shares and rates as people write and read them. Binary units: 1 MiB is 1,048,576 bytes. */

const SECONDS: Record<string, number> = { s: 1, m: 60, h: 3600, d: 86_400, w: 604_800 };
const FACTORS: Record<string, number> = { '': 1, k: 2 ** 10, m: 2 ** 20, g: 2 ** 30, t: 2 ** 40 };
const UNITS = ['B', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB'];

/** `30s`, `15m`, `2h`, `1d`, and sums such as `1h30m`, in milliseconds. */
export function parseDuration(text: string): number {
  const parts = /^(?:\d+(?:\.\d+)?[smhdw])+$/i.test(text.trim()) ? text.matchAll(/(\d+(?:\.\d+)?)([smhdw])/gi) : null;
  if (parts === null) throw new AgentError('duration_invalid', { what: `"${text}" is no duration` });
  let seconds = 0;
  for (const [, amount, unit] of parts) seconds += Number(amount) * (SECONDS[unit!.toLowerCase()] ?? 0);
  return Math.round(seconds * 1000);
}

/** The two largest units: `2h 5m`, `3d`, `12s`. */
export function formatDuration(ms: number): string {
  const total = Math.max(0, Math.round(ms / 1000));
  const parts: string[] = [];
  let left = total;
  for (const [unit, size] of [
    ['d', 86_400],
    ['h', 3600],
    ['m', 60],
    ['s', 1],
  ] as const) {
    const amount = Math.floor(left / size);
    left -= amount * size;
    if (amount > 0) parts.push(`${amount}${unit}`);
  }
  return parts.slice(0, 2).join(' ') || '0s';
}

/** Bytes a second: `500K`, `10M`, `1.5MiB`, `0` or `none` for no limit (`null`). */
export function parseRate(text: string): number | null {
  if (/^(none|unlimited)$/i.test(text.trim())) return null;
  const match = /^(\d+(?:\.\d+)?)\s*([kmgt]?)(?:i?b)?(?:\/s)?$/i.exec(text.trim());
  if (match === null) throw new AgentError('size_invalid', { what: `"${text}" is no rate` });
  const bytes = Math.round(Number(match[1]) * (FACTORS[match[2]!.toLowerCase()] ?? 1));
  return bytes === 0 ? null : bytes;
}

export const formatRate = (rate: number | null): string => (rate === null ? 'no limit' : `${formatBytes(rate)}/s`);

/** `20%`, `0.2` or `1` for all of it. */
export function parseShare(text: string): number {
  const match = /^(\d+(?:\.\d+)?)(%?)$/.exec(text.trim());
  const share = match === null ? Number.NaN : Number(match[1]) / (match[2] === '%' ? 100 : 1);
  if (!(share >= 0 && share <= 1)) {
    throw new AgentError('setting_invalid', { what: `"${text}" is no share between 0% and 100%` });
  }
  return share;
}

export const formatShare = (share: number): string => `${Math.round(share * 100)}%`;

export function formatBytes(bytes: number): string {
  let value = bytes;
  let unit = 0;
  while (value >= 1024 && unit < UNITS.length - 1) {
    value /= 1024;
    unit++;
  }
  return unit === 0 ? `${value} B` : `${value < 10 ? value.toFixed(1) : Math.round(value)} ${UNITS[unit]}`;
}
