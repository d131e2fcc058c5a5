import { z } from 'zod';
import { id16, ms, text } from './schemas.ts';

/**
 * What the server tells a device to do, and what a device tells back. A revision numbers the settings; a device that
 * hears of another revision fetches them. Unknown fields are dropped, so either side may be newer.
 */

/** How many snapshots stay, by time of receipt. Each step applies up to its age; the last one for ever. */
export const retention = z.object({
  steps: z
    .array(
      z.object({
        /** Days back to which the step reaches; null for the last. */
        untilDays: z.int().positive().nullable(),
        /** At most one snapshot in this many minutes. */
        everyMinutes: z.int().positive(),
      }),
    )
    .min(1)
    .max(8),
  /** Days that deleted files are kept; null keeps them for ever. */
  deletedDays: z.int().positive().nullable(),
});
export type RetentionSetting = z.infer<typeof retention>;

const DAY = 24 * 60;

export const DEFAULT_RETENTION: RetentionSetting = {
  steps: [
    { untilDays: 7, everyMinutes: 15 },
    { untilDays: 90, everyMinutes: DAY },
    { untilDays: 365, everyMinutes: 7 * DAY },
    { untilDays: null, everyMinutes: 30 * DAY },
  ],
  deletedDays: null,
};

const share = z.number().min(0.01).max(1);
/** Bytes a second; null is no limit. */
const rate = z.int().positive().nullable();

const activityLimits = z.object({ cpu: share, upload: rate, download: rate });

export const backupSet = z.object({
  id: id16,
  name: text(255),
  priority: z.int(),
  everyMinutes: z.int().positive(),
  /** Local time of the daily walk of everything, HH:MM. */
  fullWalkAt: z.string().regex(/^([01]\d|2[0-3]):[0-5]\d$/),
  /** Absolute paths; `~` is the home of the user that the agent runs for. */
  roots: z.array(text(4096)),
  /** Globs, by platform; `all` applies everywhere. */
  exclude: z.record(z.enum(['all', 'linux', 'darwin', 'win32']), z.array(text(4096))),
  retention,
});
export type BackupSetSetting = z.infer<typeof backupSet>;

export const deviceSettings = z.object({
  revision: z.int().nonnegative(),
  sets: z.array(backupSet),
  limits: z.object({ present: activityLimits, away: activityLimits }),
});
export type DeviceSettings = z.infer<typeof deviceSettings>;

export const setStatus = z.object({
  set: id16,
  destination: id16,
  state: z.enum(['idle', 'running', 'waiting', 'paused', 'failed']),
  /** Why it waits or failed: a code, and a sentence for people. */
  reason: z.object({ code: text(64), message: z.string().max(1024) }).nullable(),
  /** The last snapshot that was committed, and when a run last found nothing to do or finished. */
  lastSnapshot: ms.nullable(),
  currentAt: ms.nullable(),
  filesPending: z.int().nonnegative().nullable(),
  bytesPending: z.int().nonnegative().nullable(),
});

export const deviceStatus = z.object({
  version: text(64),
  settingsRevision: z.int().nonnegative().nullable(),
  sets: z.array(setStatus).max(64),
});
export type DeviceStatus = z.infer<typeof deviceStatus>;
