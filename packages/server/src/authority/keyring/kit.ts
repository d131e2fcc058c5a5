/**
 * The recovery kit: one age file under a passphrase of words, kept away from the server. With it and a dump the authority
 * is rebuilt anywhere; with it and a store point the archives of level `account` open. It holds what must not, or not only,
 * lie on the server:
 *
 * - the *recovery key*, which opens dumps; the server keeps the public half;
 * - the *escrow identity* and the *CA*, as the keystore has them, for the day the keystore is gone;
 * - the *director root key*, which will say which releases devices may run.
 */

import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { readFile, rename } from 'node:fs/promises';
import { id16, ms } from '@holdfast/protocol/schemas.ts';
import { z } from 'zod';
import { ServerError } from '../../errors.ts';
import { writeDurably } from '../../files.ts';
import { newAgeKey, openWithPassphrase, recipientOf, sealWithPassphrase } from './age.ts';
import { type Keystore, type Recovery, readRecovery, writeRecovery } from './keystore.ts';
import { newSigningKey, parseSigningKey } from './signing-key.ts';
import { newWords, normalizeWords } from './words.ts';

const kitContent = z.object({
  format: z.literal('holdfast recovery kit 1'),
  serverId: id16,
  made: ms,
  recoveryIdentity: z.string(),
  escrowIdentity: z.string(),
  caCertificate: z.string(),
  caKey: z.string(),
  directorRootKey: z.string(),
});
export type Kit = z.infer<typeof kitContent>;

const hashOf = (file: Uint8Array): string => createHash('sha256').update(file).digest('hex');

/** Makes a kit with new recovery and director keys, writes it, and gives the words, which nothing else has. */
export async function makeKit(
  keystore: Keystore,
  kitFile: string,
  options: { now: number; random: (length: number) => Uint8Array; scryptWork?: number },
): Promise<string> {
  const recovery = await newAgeKey();
  const director = newSigningKey();
  const content: Kit = {
    format: 'holdfast recovery kit 1',
    serverId: keystore.serverId,
    made: options.now,
    recoveryIdentity: recovery.identity,
    escrowIdentity: keystore.escrow.identity,
    caCertificate: keystore.ca.certificate,
    caKey: keystore.ca.key,
    directorRootKey: director.pem,
  };
  const words = newWords(options.random);
  const text = new TextEncoder().encode(`${JSON.stringify(content, null, 2)}\n`);
  const file = await sealWithPassphrase(words, text, options.scryptWork);
  await keepOlder(kitFile, options.now);
  await writeDurably(kitFile, file);
  await writeRecovery(keystore.folder, {
    format: 1,
    kit: hashOf(file),
    recipient: recovery.recipient,
    directorRoot: director.publicKey,
    made: options.now,
    confirmed: null,
  });
  return words;
}

/** Dumps made until now open with the kit before: it is moved aside, never replaced. */
async function keepOlder(kitFile: string, now: number): Promise<void> {
  if (!existsSync(kitFile)) return;
  await rename(
    kitFile,
    `${kitFile}.until-${new Date(now)
      .toISOString()
      .replace(/\.\d+Z$/, 'Z')
      .replace(/[-:]/g, '')}`,
  );
}

export async function openKit(kitFile: string, typedWords: string): Promise<Kit> {
  if (!existsSync(kitFile)) throw new ServerError('kit_damaged', { message: `${kitFile} does not exist.` });
  const words = normalizeWords(typedWords);
  if (words === null) throw new ServerError('kit_wrong_words');
  return parseKit(await decrypt(await readFile(kitFile), words));
}

async function decrypt(file: Uint8Array, words: string): Promise<Uint8Array> {
  try {
    return await openWithPassphrase(words, file);
  } catch (cause) {
    const wrong = cause instanceof Error && /no identity matched/i.test(cause.message);
    throw new ServerError(wrong ? 'kit_wrong_words' : 'kit_damaged', { cause });
  }
}

function parseKit(bytes: Uint8Array): Kit {
  try {
    return kitContent.parse(JSON.parse(new TextDecoder().decode(bytes)));
  } catch (cause) {
    throw new ServerError('kit_damaged', { cause });
  }
}

/** Proves that file and words open, and that they are this server's; notes it. */
export async function confirmKit(keystore: Keystore, kitFile: string, words: string, now: number): Promise<Recovery> {
  const recovery = await readRecovery(keystore.folder);
  if (recovery === null) throw new ServerError('kit_missing');
  const kit = await openKit(kitFile, words);
  const { recipient, directorRoot } = await publicHalves(kit);
  if (kit.serverId !== keystore.serverId || recipient !== recovery.recipient || directorRoot !== recovery.directorRoot)
    throw new ServerError('kit_foreign');
  const confirmed = { ...recovery, confirmed: now };
  await writeRecovery(keystore.folder, confirmed);
  return confirmed;
}

async function publicHalves({
  recoveryIdentity,
  directorRootKey,
}: Kit): Promise<Pick<Recovery, 'recipient' | 'directorRoot'>> {
  try {
    return {
      recipient: await recipientOf(recoveryIdentity),
      directorRoot: parseSigningKey(directorRootKey).publicKey,
    };
  } catch (cause) {
    throw new ServerError('kit_damaged', { cause });
  }
}
