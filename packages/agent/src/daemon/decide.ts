import { isBelowFloor, type Power } from '../present/battery.ts';
import type { Due } from '../sets/schedule.ts';
import type { Pause } from '../state/pause.ts';

/**
 * What the service does next. Pure: the situation goes in, one decision comes out.
 *
 * A person's request goes before everything but enrolment. What is due waits while backups are paused, the battery is low or the
 * server is away; the first reason is the one that is told. Among what is due the set of the lowest priority number goes first.
 */
export type Situation = {
  readonly now: number;
  readonly enrolled: boolean;
  readonly pause: Pause | null;
  readonly power: Power;
  readonly batteryFloor: number;
  readonly offline: Offline | null;
  /** The next run of each set, in order of priority. */
  readonly dues: readonly Due[];
};

/** The server was away at `since`; it is asked again at `nextTry`. */
export type Offline = { readonly since: number; readonly nextTry: number; readonly message: string };

export type WaitReason = {
  readonly code: 'not_enrolled' | 'paused' | 'battery_low' | 'offline';
  readonly message: string;
  readonly since: number | null;
};

export type Decision =
  | { readonly kind: 'run'; readonly due: Due }
  /** Ask whether the server is back. */
  | { readonly kind: 'probe' }
  /** Nothing to do, or something is in the way; look again at `until` at the latest. */
  | { readonly kind: 'wait'; readonly why: WaitReason | null; readonly until: number | null };

/** The battery says nothing when it is charged, so it is looked at again. */
const LOOK_AGAIN_MS = 60_000;

export function decide(situation: Situation): Decision {
  const { now, pause, power, batteryFloor, offline, dues } = situation;
  if (!situation.enrolled) return wait('not_enrolled', 'this device is not enrolled', null, null);
  if (pause !== null) return wait('paused', 'backups are paused', pause.since, pause.until);
  const due = dues.find(({ at }) => at <= now);
  if (due === undefined) return { kind: 'wait', why: null, until: earliest(dues) };
  if (isBelowFloor(power, batteryFloor)) {
    const message = `on battery at ${Math.round((power.charge ?? 0) * 100)}%, below ${Math.round(batteryFloor * 100)}%`;
    return wait('battery_low', message, null, now + LOOK_AGAIN_MS);
  }
  if (offline === null) return { kind: 'run', due };
  if (offline.nextTry <= now) return { kind: 'probe' };
  return wait('offline', offline.message, offline.since, offline.nextTry);
}

const earliest = (dues: readonly Due[]): number | null =>
  dues.length === 0 ? null : Math.min(...dues.map(({ at }) => at));

function wait(code: WaitReason['code'], message: string, since: number | null, until: number | null): Decision {
  return { kind: 'wait', why: { code, message, since }, until };
}
