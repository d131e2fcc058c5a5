import { argon2, timingSafeEqual } from 'node:crypto';
import { promisify } from 'node:util';
import { ProtocolError } from '@holdfast/protocol/errors.ts';

/**
 * Passwords as argon2id hashes in the PHC string format, computed in Node's thread pool. Each computation takes 64 MiB, so
 * only two run at a time and a crowd is told to come back: strangers may call this.
 */

type Cost = { readonly memoryKib: number; readonly passes: number };

export const DEFAULT_COST: Cost = { memoryKib: 65_536, passes: 2 };
const SALT_BYTES = 16;
const TAG_BYTES = 32;
const CONCURRENT = 2;
const WAITING = 64;

export const PASSWORD_MIN = 10;

export type Passwords = {
  hash(password: string): Promise<string>;
  /** With `null` it takes as long and says no: a caller cannot tell an unknown user from a wrong password. */
  verify(password: string, stored: string | null): Promise<{ readonly ok: boolean; readonly outdated: boolean }>;
};

export function createPasswords(random: (bytes: number) => Uint8Array, cost: Cost = DEFAULT_COST): Passwords {
  const limit = limited(CONCURRENT, WAITING);
  const tagOf = (password: string, nonce: Uint8Array, c: Cost, length: number) =>
    limit(() =>
      promisify(argon2)('argon2id', {
        message: password.normalize('NFKC'),
        nonce,
        parallelism: 1,
        tagLength: length,
        memory: c.memoryKib,
        passes: c.passes,
      }),
    );
  const decoy = { cost, salt: random(SALT_BYTES), tag: random(TAG_BYTES) };
  return {
    async hash(password) {
      const salt = random(SALT_BYTES);
      return format({ cost, salt, tag: await tagOf(password, salt, cost, TAG_BYTES) });
    },
    async verify(password, stored) {
      const expected = (stored === null ? null : parse(stored)) ?? decoy;
      const tag = await tagOf(password, expected.salt, expected.cost, expected.tag.length);
      const ok = timingSafeEqual(tag, expected.tag) && expected !== decoy;
      const outdated = expected.cost.memoryKib !== cost.memoryKib || expected.cost.passes !== cost.passes;
      return { ok, outdated: ok && outdated };
    },
  };
}

type Parsed = { readonly cost: Cost; readonly salt: Uint8Array; readonly tag: Uint8Array };

const base64 = (bytes: Uint8Array) => Buffer.from(bytes).toString('base64').replace(/=+$/, '');

const format = ({ cost, salt, tag }: Parsed) =>
  `$argon2id$v=19$m=${cost.memoryKib},t=${cost.passes},p=1$${base64(salt)}$${base64(tag)}`;

function parse(stored: string): Parsed | null {
  const match = /^\$argon2id\$v=19\$m=(\d+),t=(\d+),p=1\$([\w+/]+)\$([\w+/]+)$/.exec(stored);
  if (match === null) return null;
  const [, memory, passes, salt = '', tag = ''] = match;
  return {
    cost: { memoryKib: Number(memory), passes: Number(passes) },
    salt: Buffer.from(salt, 'base64'),
    tag: Buffer.from(tag, 'base64'),
  };
}

/** Runs at most `concurrent` at once, lets `waiting` more queue, and refuses the rest with `busy`. */
function limited(concurrent: number, waiting: number): <T>(work: () => Promise<T>) => Promise<T> {
  let running = 0;
  const queue: (() => void)[] = [];
  return async (work) => {
    if (running >= concurrent) {
      if (queue.length >= waiting) throw new ProtocolError('busy', { retryAfterMs: 2_000 });
      await new Promise<void>((resolve) => queue.push(resolve));
    } else running += 1;
    try {
      return await work();
    } finally {
      const next = queue.shift();
      if (next === undefined) running -= 1;
      else next();
    }
  };
}

/** Letters and digits that nobody confuses; read aloud and typed once. */
const ONE_TIME_ALPHABET = 'abcdefghjkmnpqrstuvwxyz23456789';

/** About 79 bits: `xxxx-xxxx-xxxx-xxxx`. */
export const newOneTimePassword = (random: (bytes: number) => Uint8Array): string =>
  fourGroups(ONE_TIME_ALPHABET, random);

const REGISTRATION_ALPHABET = '23456789ABCDEFGHJKMNPQRSTUVWXYZ';

/** What lands a device in an organization: `XXXX-XXXX-XXXX-XXXX`. */
export const newRegistrationKey = (random: (bytes: number) => Uint8Array): string =>
  fourGroups(REGISTRATION_ALPHABET, random);

function fourGroups(alphabet: string, random: (bytes: number) => Uint8Array): string {
  let text = '';
  while (text.length < 16) {
    // Bytes past the last whole multiple would make the first letters likelier
    for (const byte of random(24)) {
      if (byte < 256 - (256 % alphabet.length) && text.length < 16) text += alphabet[byte % alphabet.length];
    }
  }
  return text.match(/.{4}/g)?.join('-') ?? '';
}

/** Length is what counts; composition rules make passwords worse. */
export function checkNewPassword(password: string, username: string, current?: string): void {
  const same = password === current || password.toLowerCase() === username.toLowerCase();
  const weak = same || [...password].length < PASSWORD_MIN;
  if (!weak) return;
  const message = `Choose a password of at least ${PASSWORD_MIN} characters that is neither the user name nor the one before.`;
  throw new ProtocolError('password_too_weak', { message, data: { min: PASSWORD_MIN } });
}
