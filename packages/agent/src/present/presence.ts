import type { Values } from '../limits/settings.ts';

/** Whether somebody uses the device, and what the agent may take then. Pure. */
export type Presence = 'present' | 'away';

export type Limits = { readonly cpu: number; readonly upload: number | null; readonly download: number | null };

/** `lastInput` null: nobody ever, as on a server in a rack. A time to come (a clock set back) counts as now. */
export function presenceAt(now: number, lastInput: number | null, awayAfterMs: number): Presence {
  return lastInput !== null && now - lastInput < awayAfterMs ? 'present' : 'away';
}

export function limitsFor(presence: Presence, values: Values): Limits {
  return {
    cpu: values[`cpu.${presence}`],
    upload: values[`upload.${presence}`],
    download: values[`download.${presence}`],
  };
}
