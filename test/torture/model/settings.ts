/** What may be decided about retention, and what a clock may be set to. */
import type { ArchivePolicy } from '../../../packages/server/src/storage/maintenance/policy.ts';

const HOUR = 3_600_000;
const DAY = 24 * HOUR;

/** Short ones, so that much is retired; the last is what is built in. */
export const POLICIES: readonly ArchivePolicy[] = [
  { default: { steps: [{ everyMinutes: 1440, untilDays: 3 }] } },
  {
    default: {
      steps: [
        { everyMinutes: 30, untilDays: 1 },
        { everyMinutes: 1440, untilDays: 4 },
      ],
    },
  },
  {},
];

/** How far a clock may be off. */
export const OFFSETS: readonly number[] = [0, 0, 0, HOUR, -HOUR, 25 * HOUR, -DAY, 3 * DAY];
