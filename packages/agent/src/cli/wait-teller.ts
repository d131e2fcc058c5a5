import type { Progress } from './progress.ts';
import { inFull } from './words.ts';

/** Tells a person once why a command waits, not at each try, and when it goes on. */
export function waitTeller({ say }: Pick<Progress, 'say'>) {
  let why: string | null = null;
  return {
    /** A code or a message; `null` while it goes on. */
    get why() {
      return why;
    },
    tell(next: string | null): void {
      if (next === why) return;
      say(next === null ? 'Going on.' : `Waiting: ${inFull(next)}`);
      why = next;
    },
  };
}
