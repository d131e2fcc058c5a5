import { z } from 'zod';

/** Shapes that several routes share. Bytes travel as lower-case hex in JSON, times as milliseconds since 1970. */

export const hex = (bytes: number) =>
  z.string().regex(new RegExp(`^[0-9a-f]{${bytes * 2}}$`), `must be ${bytes} bytes as lower-case hex`);

/** Archive, device, backup set, destination and server ids. */
export const id16 = hex(16);
export const hash32 = hex(32);
export const publicKey = hex(32);
export const signature = hex(64);

export const ms = z.int().nonnegative();
/** Without zero bytes, which not every database keeps. */
const NO_ZERO = /^[^\0]*$/;
export const storable = (max: number) => z.string().max(max).regex(NO_ZERO, 'must not hold a zero byte');
export const text = (max: number) => z.string().trim().min(1).max(max).regex(NO_ZERO, 'must not hold a zero byte');

/** An age hybrid recipient (format §2.2); classical ones are refused because one would give up what hybrids protect. */
export const recipient = z
  .string()
  .max(4096)
  .regex(/^age1pq1[02-9ac-hj-np-z]+$/, 'must be an age hybrid recipient');

export const keyLevel = z.enum(['account', 'archive-password', 'custom-key']);
export type KeyLevel = z.infer<typeof keyLevel>;

export const password = z.string().min(1).max(1024);
