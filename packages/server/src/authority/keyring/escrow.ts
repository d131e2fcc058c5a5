import { createHash, createPrivateKey, createPublicKey } from 'node:crypto';
import { HYBRID_STANZA, readAgeStanzas } from '@holdfast/archive/format/age-header.ts';
import { ProtocolError } from '@holdfast/protocol/errors.ts';
import { ServerError } from '../../errors.ts';
import { type AgeKey, openWith, recipientOf, sealTo } from './age.ts';

/**
 * Key escrow at level `account`: the one place where the server can reach an archive's keys. A wrap is opened in memory,
 * checked or wrapped again, and dropped; nothing of it is written or logged (format §2.2, §2.5).
 */

export type PublicIdentity = { readonly recipient: string; readonly signingKey: string };

/** The name of the wrap for a recipient among an archive's identities (format §7). */
export const wrapName = (recipient: string): string =>
  `${createHash('sha256').update(recipient).digest('hex').slice(0, 32)}.age`;

/** The identity inside a wrap, once it proved to be the one that `expected` names. */
async function openIdentity(escrow: AgeKey, wrap: Uint8Array, expected: PublicIdentity): Promise<Uint8Array> {
  let text: Uint8Array;
  try {
    text = await openWrap(escrow.identity, wrap);
  } catch (cause) {
    throw new ProtocolError('key_wrap_unusable', { cause });
  }
  const found = await publicIdentityOf(new TextDecoder().decode(text));
  if (found?.recipient !== expected.recipient || found.signingKey !== expected.signingKey) {
    throw new ProtocolError('key_wrap_unusable');
  }
  return text;
}

/** format §2.2 */
async function openWrap(escrowIdentity: string, wrap: Uint8Array): Promise<Uint8Array> {
  const stanzas = readAgeStanzas(wrap);
  if (stanzas.length !== 1 || stanzas[0]?.type !== HYBRID_STANZA) throw new Error('not one hybrid stanza');
  return openWith(escrowIdentity, wrap);
}

/** The first wrap that the escrow identity opens to that identity; rejects with `key_wrap_unusable` when it opens none so. */
export async function openableWrap(
  escrow: AgeKey,
  wraps: readonly Uint8Array[],
  expected: PublicIdentity,
): Promise<Uint8Array> {
  for (const wrap of wraps) {
    try {
      await openIdentity(escrow, wrap, expected);
      return wrap;
    } catch (error) {
      if (!(error instanceof ProtocolError)) throw error;
    }
  }
  throw new ProtocolError('key_wrap_unusable');
}

/** The same identity, wrapped to a device. */
export async function rewrapIdentity(
  escrow: AgeKey,
  wrap: Uint8Array,
  expected: PublicIdentity,
  deviceRecipient: string,
): Promise<Uint8Array> {
  return sealTo(deviceRecipient, await openIdentity(escrow, wrap, expected));
}

/**
 * For a person who holds the recovery kit: the identity files of format §2.2, each once, out of whichever wraps are those for
 * escrow. Which of them the authority knew last stands in no wrap.
 */
export async function identitiesFromWraps(escrowIdentity: string, wraps: readonly Uint8Array[]): Promise<Uint8Array[]> {
  const failures: unknown[] = [];
  const found = new Map<string, Uint8Array>();
  for (const wrap of wraps) {
    try {
      const text = await openWrap(escrowIdentity, wrap);
      found.set(new TextDecoder().decode(text), text);
    } catch (error) {
      failures.push(error);
    }
  }
  if (found.size > 0) return [...found.values()];
  throw new ServerError('kit_opens_none', { cause: new AggregateError(failures, 'each wrap failed') });
}

const SIGN_LINE = /^HOLDFAST-SIGN-KEY-([0-9a-f]{64})$/;
/** PKCS #8 around a seed of 32 bytes (RFC 8410 §7). */
const ED25519_PREFIX = Buffer.from('302e020100300506032b657004220420', 'hex');

async function publicIdentityOf(text: string): Promise<PublicIdentity | null> {
  const lines = text.split('\n').filter((line) => line !== '' && !line.startsWith('#'));
  const age = lines.find((line) => line.startsWith('AGE-SECRET-KEY-PQ-1'));
  const seed = lines.map((line) => SIGN_LINE.exec(line)?.[1]).find((hex) => hex !== undefined);
  if (age === undefined || seed === undefined || lines.length !== 2) return null;
  const der = Buffer.concat([ED25519_PREFIX, Buffer.from(seed, 'hex')]);
  const key = createPublicKey(createPrivateKey({ key: der, format: 'der', type: 'pkcs8' }));
  const { x = '' } = key.export({ format: 'jwk' });
  return { recipient: await recipientOf(age), signingKey: Buffer.from(x, 'base64url').toString('hex') };
}
