/**
 * The keystore: the server's secrets, one small file each, in a folder that only its own user may enter.
 *
 * | file | what |
 * |---|---|
 * | `server.json` | format, server id |
 * | `ca.crt`, `ca.key` | the CA that devices pin |
 * | `tls.pem` | key and certificate in use, in one file so that they always fit; made anew when it ends soon or lacks a name |
 * | `capability.key` | signs capabilities |
 * | `receipt.key` | signs receipts and tombstones (format §6) |
 * | `escrow.age` | opens identities of key level `account` (format §2.5) |
 * | `recovery.json` | public halves of what lies in the recovery kit; absent until a kit was made |
 *
 * The folder is made under another name and renamed, so a keystore is whole or absent. It is part of every dump.
 */

import { randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { readFile, rename, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { hash32, id16, ms, publicKey, recipient } from '@holdfast/protocol/schemas.ts';
import { z } from 'zod';
import { ServerError } from '../../errors.ts';
import { makePrivateFolder, syncFolder, writeDurably } from '../../files.ts';
import { type AgeKey, newAgeKey, recipientOf } from './age.ts';
import {
  fingerprintOf,
  type KeyPair,
  needsRenewal,
  newCertificateAuthority,
  newServerCertificate,
} from './certificates.ts';
import { newSigningKey, parseSigningKey, type SigningKey } from './signing-key.ts';

export const FILES = {
  server: 'server.json',
  caCertificate: 'ca.crt',
  caKey: 'ca.key',
  tls: 'tls.pem',
  capability: 'capability.key',
  receipt: 'receipt.key',
  escrow: 'escrow.age',
  recovery: 'recovery.json',
} as const;

const serverFile = z.object({ format: z.literal(1), serverId: id16 });

/** What the server knows of its kit: enough to seal dumps to it, nothing that opens them. */
export const recoveryFile = z.object({
  format: z.literal(1),
  kit: hash32,
  recipient,
  directorRoot: publicKey,
  made: ms,
  /** When an administrator proved to have the words. */
  confirmed: ms.nullable(),
});
export type Recovery = z.infer<typeof recoveryFile>;

export type Keystore = {
  readonly folder: string;
  readonly serverId: string;
  readonly ca: KeyPair & { readonly fingerprint: string };
  readonly capability: SigningKey;
  readonly receipt: SigningKey;
  readonly escrow: AgeKey;
};

export const keystoreExists = (folder: string): boolean => existsSync(join(folder, FILES.server));

export async function createKeystore(folder: string, now: number): Promise<Keystore> {
  const serverId = randomBytes(16).toString('hex');
  const ca = await newCertificateAuthority(`Holdfast CA ${serverId.slice(0, 8)}`, now);
  const escrow = await newAgeKey();
  await writeKeystore(folder, {
    [FILES.server]: `${JSON.stringify({ format: 1, serverId })}\n`,
    [FILES.caCertificate]: ca.certificate,
    [FILES.caKey]: ca.key,
    [FILES.capability]: newSigningKey().pem,
    [FILES.receipt]: newSigningKey().pem,
    [FILES.escrow]: `${escrow.identity}\n`,
  });
  return openKeystore(folder);
}

/** Puts up a whole keystore at once; `folder` must not exist. */
export async function writeKeystore(
  folder: string,
  files: Readonly<Record<string, string | Uint8Array>>,
): Promise<void> {
  const temporary = join(dirname(folder), `.keystore.${randomBytes(6).toString('hex')}.tmp`);
  await makePrivateFolder(temporary);
  try {
    for (const [name, content] of Object.entries(files)) await writeDurably(join(temporary, name), content);
    await rename(temporary, folder);
  } catch (error) {
    await rm(temporary, { recursive: true, force: true });
    throw error;
  }
  await syncFolder(dirname(folder));
}

export async function openKeystore(folder: string): Promise<Keystore> {
  if (!keystoreExists(folder)) throw new ServerError('keystore_missing', { data: { folder } });
  try {
    const read = (name: string) => readFile(join(folder, name), 'utf8');
    const { serverId } = serverFile.parse(JSON.parse(await read(FILES.server)));
    const certificate = await read(FILES.caCertificate);
    const identity = (await read(FILES.escrow)).trim();
    return {
      folder,
      serverId,
      ca: { certificate, key: await read(FILES.caKey), fingerprint: fingerprintOf(certificate) },
      capability: parseSigningKey(await read(FILES.capability)),
      receipt: parseSigningKey(await read(FILES.receipt)),
      escrow: { identity, recipient: await recipientOf(identity) },
    };
  } catch (cause) {
    throw new ServerError('keystore_damaged', { cause, data: { folder } });
  }
}

export async function readRecovery(folder: string): Promise<Recovery | null> {
  const path = join(folder, FILES.recovery);
  if (!existsSync(path)) return null;
  try {
    return recoveryFile.parse(JSON.parse(await readFile(path, 'utf8')));
  } catch (cause) {
    throw new ServerError('keystore_damaged', { cause, data: { folder } });
  }
}

export const writeRecovery = (folder: string, recovery: Recovery): Promise<void> =>
  writeDurably(join(folder, FILES.recovery), `${JSON.stringify(recovery)}\n`);

/** The certificate for these names, with the CA behind it; renewed when it must be. */
export async function serverCertificate(
  keystore: Pick<Keystore, 'folder' | 'ca'>,
  names: readonly string[],
  now: number,
): Promise<KeyPair & { readonly renewed: boolean }> {
  const file = join(keystore.folder, FILES.tls);
  const current = existsSync(file) ? splitPair(await readFile(file, 'utf8')) : null;
  if (current !== null && !needsRenewal(current.certificate, names, now)) {
    return { ...withCa(keystore, current), renewed: false };
  }
  const made = await newServerCertificate(keystore.ca, names, now);
  await writeDurably(file, `${made.key.trimEnd()}\n${made.certificate.trimEnd()}\n`);
  return { ...withCa(keystore, made), renewed: true };
}

const PEM_BLOCK = /-----BEGIN ([A-Z ]+)-----[^-]+-----END \1-----/g;

function splitPair(text: string): KeyPair | null {
  const [key, certificate] = text.match(PEM_BLOCK) ?? [];
  return key === undefined || certificate === undefined ? null : { key, certificate };
}

const withCa = ({ ca }: Pick<Keystore, 'ca'>, pair: KeyPair): KeyPair => ({
  certificate: `${pair.certificate.trimEnd()}\n${ca.certificate}`,
  key: `${pair.key.trimEnd()}\n`,
});
