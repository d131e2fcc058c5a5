/**
 * What a real process is made to suffer: death by SIGKILL at a named step, and another clock.
 *
 * A *step* is a call that changes something outside the process: a write, a sync, a rename, a database statement, a
 * request. `preload.ts` counts them inside the process, thread by thread, and kills it at the nth one: before it, in the
 * middle of a write, or after it. Nothing of what we ship knows of it.
 */
import type { Random } from '../support/random.ts';

export const STEPS = ['write', 'sync', 'rename', 'link', 'unlink', 'mkdir', 'statement', 'commit', 'request'] as const;
export type Step = (typeof STEPS)[number];

export type Death = {
  readonly step: Step;
  /** From 1, of this step in one thread. */
  readonly nth: number;
  /** `half` of a write reaches the file; for other steps it is `before`. */
  readonly when: 'before' | 'half' | 'after';
  /** A regular expression: only steps count whose subject fits (paths, SQL text, method and path of a request). */
  readonly about?: string;
  /** Only steps at this place count (places.ts). */
  readonly place?: string;
  /** What the witness is told. */
  readonly name?: string;
};

export type Faults = {
  /** What runs, for the names of its places. */
  readonly program?: string;
  /** In which scenario or kind of round. */
  readonly scene?: string;
  /** A file to which a line goes for each place that is come to, and for the death. */
  readonly witness?: string | undefined;
  /** ms that the process's clock is ahead. */
  readonly clockMs?: number;
  /** ms that it goes on at each SIGUSR2, as after a sleep. */
  readonly jumpMs?: number;
  readonly death?: Death | undefined;
  /** Connections to one port of this machine go to another: what stands there may pass them on, or not. */
  readonly road?: Road | undefined;
};

export type Road = { readonly from: number; readonly to: number };

/** The variable that carries `Faults` to the preloaded module. */
export const VARIABLE = 'HOLDFAST_TORTURE';
const PRELOAD = new URL('preload.ts', import.meta.url).href;

/** Environment of a process that suffers them. */
export function environmentOf(faults: Faults): Record<string, string> {
  const { clockMs = 0, jumpMs, death, witness, road } = faults;
  if (clockMs === 0 && [jumpMs, death, witness, road].every((fault) => fault === undefined)) return {};
  return { NODE_OPTIONS: `--import=${PRELOAD}`, [VARIABLE]: JSON.stringify(faults) };
}

/** About how many of each step a thread takes at most in a run on a small tree. */
const MOST: Readonly<Record<Step, number>> = {
  write: 150,
  sync: 60,
  rename: 30,
  link: 20,
  unlink: 20,
  mkdir: 20,
  statement: 600,
  commit: 120,
  request: 25,
};

function someDeath(random: Random, steps: readonly Step[]): Death {
  const step = random.pick(steps);
  return { step, nth: random.magnitude(MOST[step]), when: random.pick(['before', 'half', 'after']) };
}

/** How a process is to end: at a step of its own, or by SIGKILL after so many ms; and what it meets before. */
export type End = {
  readonly death?: Death;
  readonly killAfterMs?: number;
  readonly road?: Road;
  /** ms that its clock is off everybody else's. */
  readonly clockOffMs?: number;
  readonly jumpMs?: number;
};

/** By the clock, at any step, or at one of the moments. */
export function someEnd(
  random: Random,
  tookMs: number,
  steps: readonly Step[],
  moments: Readonly<Record<string, Death>>,
): { readonly end: End; readonly text: string } {
  const how = random.next();
  if (how < 0.35) {
    const share = random.between(0.15, 1.05);
    return { end: { killAfterMs: share * tookMs }, text: `killed at ${Math.round(share * 100)} %` };
  }
  if (how < 0.6) {
    const [name, death] = random.pick(Object.entries(moments));
    return { end: { death }, text: `dies ${name}` };
  }
  const death = someDeath(random, steps);
  return { end: { death }, text: `dies ${describeDeath(death)}` };
}

const describeDeath = ({ step, nth, when, about }: Death): string =>
  `${when} ${step} ${nth}${about === undefined ? '' : ` of ${about}`}`;
