import { formatDistance } from '../archive/time.ts';
import type { DueRenewal } from '../state/renewal.ts';

/** What to tell a person of keys that a removed device still has; `null` when there is nothing to tell. */
export function renewalText(due: DueRenewal | null, now: number): string | null {
  if (due === null) return null;
  const who = due.removed.join(', ');
  if (!due.byItself)
    return `Removed, but with keys that also open what is stored from now on: ${who}. Run \`holdfast key renew\`.`;
  if (due.failure === null) return null;
  const { at, message } = due.failure;
  return `Removed, but with keys that also open what is stored from now on: ${who}. Renewing them failed ${formatDistance(at, now)} (${message}); the next backup tries again.`;
}
