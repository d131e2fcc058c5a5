import { AgentError } from '../errors.ts';
import { formatDuration, parseDuration } from '../limits/units.ts';

/** Times as people write them, in the device's own time zone. Pure. */

/**
 * The moment that `text` means: `2026-03-01` (the end of that day), `2026-03-01 14:30`, an ISO time with its own zone, `yesterday`,
 * `today`, `now`, or an age (`2h`, `3d`, `2h ago`).
 */
export function parseTime(text: string, now: number, zone: string): number {
  const trimmed = text.trim().toLowerCase();
  try {
    return named(trimmed, now, zone) ?? age(trimmed, now) ?? absolute(text.trim(), zone);
  } catch (cause) {
    throw new AgentError('time_invalid', { what: `"${text}" is no time`, cause });
  }
}

function named(text: string, now: number, zone: string): number | null {
  const today = Temporal.Instant.fromEpochMilliseconds(now).toZonedDateTimeISO(zone).toPlainDate();
  if (text === 'now') return now;
  if (text === 'today') return now;
  return text === 'yesterday' ? endOf(today.subtract({ days: 1 }), zone) : null;
}

function age(text: string, now: number): number | null {
  const bare = text.replace(/ ago$/, '');
  return /^(\d+(\.\d+)?[smhdw])+$/.test(bare) ? now - parseDuration(bare) : null;
}

function absolute(text: string, zone: string): number {
  if (/^\d{4}-\d{2}-\d{2}$/.test(text)) return endOf(Temporal.PlainDate.from(text), zone);
  const iso = text.replace(/^(\d{4}-\d{2}-\d{2}) +/, '$1T');
  if (/(?:z|[+-]\d{2}(?::?\d{2})?)$/i.test(iso.slice(11))) return Temporal.Instant.from(iso).epochMilliseconds;
  if (!/^\d{4}-\d{2}-\d{2}T\d{1,2}:\d{2}/.test(iso)) throw new RangeError('no date');
  const padded = iso.replace(/T(\d):/, 'T0$1:');
  return Temporal.PlainDateTime.from(padded).toZonedDateTime(zone).epochMilliseconds;
}

/** "As it was that day" means all that came that day. */
function endOf(day: Temporal.PlainDate, zone: string): number {
  return day.add({ days: 1 }).toZonedDateTime(zone).epochMilliseconds - 1;
}

/** `2026-03-01 14:30:05` */
export function formatTime(at: number, zone: string): string {
  const local = Temporal.Instant.fromEpochMilliseconds(at).toZonedDateTimeISO(zone).toPlainDateTime();
  return local.toString({ smallestUnit: 'second' }).replace('T', ' ');
}

/** `5m ago`, `in 2h`, `now`. */
export function formatDistance(at: number, now: number): string {
  const ms = Math.abs(now - at);
  if (ms < 1000) return 'now';
  // Nobody wants the seconds of something that is hours away
  const rounded = ms < 60_000 ? ms : Math.round(ms / 60_000) * 60_000;
  return at > now ? `in ${formatDuration(rounded)}` : `${formatDuration(rounded)} ago`;
}
