/**
 * How failed sign-ins slow down the next ones: a pure plan over three counts. Guessing one name from one address is slowed
 * to one try in 15 minutes; guessing one name from everywhere, or many names from one address, to one a minute, which a
 * real user behind the same address or under attack still gets through.
 */

import { isIP } from 'node:net';

const SECOND = 1_000;
const MINUTE = 60 * SECOND;

export type BucketKind = 'pair' | 'name' | 'address';

/** `free` failures cost nothing; then 1 s, 2 s, 4 s ... up to `maxDelay`. */
const POLICY: Readonly<Record<BucketKind, { readonly free: number; readonly maxDelay: number }>> = {
  pair: { free: 5, maxDelay: 15 * MINUTE },
  name: { free: 20, maxDelay: MINUTE },
  address: { free: 50, maxDelay: MINUTE },
};

/** A count that nothing was added to for this long is forgotten. */
export const FORGET_MS = 24 * 60 * MINUTE;

/** How long a network stays one that the user signs in from. */
export const KNOWN_MS = 90 * 24 * 60 * MINUTE;

export type Count = { readonly kind: BucketKind; readonly failures: number; readonly last: number };

export function delayAfter(kind: BucketKind, failures: number): number {
  const { free, maxDelay } = POLICY[kind];
  return failures < free ? 0 : Math.min(maxDelay, SECOND * 2 ** (failures - free));
}

/** How long the next try has to wait; 0 when it may go ahead. */
export function waitFor(counts: readonly Count[], now: number): number {
  const waits = counts.map(({ kind, failures, last }) =>
    now - last > FORGET_MS ? 0 : last + delayAfter(kind, failures) - now,
  );
  return Math.max(0, ...waits);
}

/**
 * What counts as one address: an IPv4 address, or the 64-bit network of an IPv6 one, of which one household has more
 * addresses than anybody could count.
 */
export function networkOf(address: string): string {
  const v4 = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(address)?.[1];
  if (v4 !== undefined || isIP(address) !== 6) return v4 ?? address;
  const [head = '', tail] = (address.split('%')[0] ?? '').toLowerCase().split('::');
  const left = head === '' ? [] : head.split(':');
  const right = tail === undefined || tail === '' ? [] : tail.split(':');
  const zeros = tail === undefined ? 0 : 8 - left.length - right.length;
  const groups = [...left, ...Array<string>(Math.max(0, zeros)).fill('0'), ...right];
  return `${groups
    .slice(0, 4)
    .map((group) => Number.parseInt(group, 16).toString(16))
    .join(':')}::/64`;
}

/** Sessions end after this long without use, and in any case. */
export const SESSION_IDLE_MS = 12 * 60 * MINUTE;
export const SESSION_MAX_MS = 30 * 24 * 60 * MINUTE;
/** Not every request writes. */
export const TOUCH_EVERY_MS = MINUTE;

export const sessionEnd = (session: { created: number }, now: number): number =>
  Math.min(now + SESSION_IDLE_MS, session.created + SESSION_MAX_MS);

/** How user names are compared: `Ada@Example.org` and `ada@example.org` are one. */
export const usernameKey = (username: string): string => username.normalize('NFKC').toLowerCase();
