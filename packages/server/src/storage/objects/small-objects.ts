// Key files, identity wraps and device lists (format §2.4 to §2.6). A server cannot open the first two and does not judge who
// signed the third; it keeps out what has not even the right shape, and never lets a device take away what is there.

import { verify } from 'node:crypto';
import { ArchiveError } from '@holdfast/archive/errors.ts';
import { HYBRID_STANZA, PASSPHRASE_STANZA, readAgeStanzas } from '@holdfast/archive/format/age-header.ts';
import { decodeDeviceList } from '@holdfast/archive/format/device-list.ts';
import { equalBytes } from '@holdfast/archive/format/ids.ts';
import { decodeStatement, LABEL, signedMessage } from '@holdfast/archive/format/statement.ts';
import type { BlobStore } from '@holdfast/archive/store/blob-store.ts';
import {
  deviceListName,
  folderPrefix,
  keyFileName,
  MAX_WRAPS,
  PASSPHRASE_WRAP_NAME,
} from '@holdfast/archive/store/layout.ts';
import { appendWrap } from '@holdfast/archive/store/wraps.ts';
import { ProtocolError } from '@holdfast/protocol/errors.ts';
import { publicKeyOf } from '../public-key.ts';
import { readIfThere } from '../reads/lists.ts';

/**
 * How far a counter may jump above the newest list. Lists that a server lost leave small gaps; a jump to the last counter there is
 * would keep every later list out for ever.
 */
const COUNTER_GAP = 64;

type Blobs = Pick<BlobStore, 'get' | 'put' | 'list'>;

const refuse = (message: string, cause?: unknown) => new ProtocolError('invalid_request', { message, cause });

export async function putKeyFile(blobs: Blobs, archiveId: Uint8Array, name: string, bytes: Uint8Array): Promise<void> {
  requireStanza(bytes, HYBRID_STANZA);
  await putOnce(blobs, keyFileName(archiveId, name), bytes);
}

/** Comes after what is there for the recipient: a passphrase changes, and nobody is locked out by junk. */
export async function putIdentityWrap(
  blobs: Blobs,
  archiveId: Uint8Array,
  name: string,
  bytes: Uint8Array,
): Promise<void> {
  requireStanza(bytes, name === PASSPHRASE_WRAP_NAME ? PASSPHRASE_STANZA : HYBRID_STANZA);
  if ((await appendWrap(blobs, archiveId, name, bytes)) === 'full')
    throw new ProtocolError('conflict', { message: `${MAX_WRAPS} wraps are stored for this recipient.` });
}

/** One recipient, of this kind: a second, classical one would give up what the first protects. */
function requireStanza(bytes: Uint8Array, type: string): void {
  const stanzas = shaped('age file', () => readAgeStanzas(bytes));
  if (stanzas.length !== 1 || stanzas[0]?.type !== type)
    throw refuse(`An age file with exactly one recipient of kind ${type} belongs here.`);
}

function shaped<T>(what: string, read: () => T): T {
  try {
    return read();
  } catch (error) {
    if (error instanceof ArchiveError) throw refuse(`This is no ${what}: ${error.message}`, error);
    throw error;
  }
}

async function putOnce(blobs: Blobs, name: string, bytes: Uint8Array): Promise<void> {
  if ((await blobs.put(name, bytes, { ifAbsent: true })) === 'stored') return;
  if (!equalBytes(await blobs.get(name), bytes))
    throw new ProtocolError('conflict', { message: 'An object of this name is stored and is never replaced.' });
}

/** The counter must be above every one that is there; the same list again is no error. */
export async function putDeviceList(
  blobs: Blobs,
  archiveId: Uint8Array,
  counter: number,
  bytes: Uint8Array,
): Promise<void> {
  const { body, signature, signer } = shaped('device list', () => decodeStatement(bytes));
  const list = shaped('device list', () => decodeDeviceList(body));
  if (!equalBytes(list.archiveId, archiveId) || list.counter !== counter)
    throw refuse('The device list is of another archive, or has another counter.');
  if (!verify(null, signedMessage(LABEL.deviceList, body), publicKeyOf(signer), signature))
    throw refuse('The device list is not signed by the signer that it names.');
  const newest = await newestCounter(blobs, archiveId);
  if (counter > (newest ?? 0) + COUNTER_GAP)
    throw refuse(`The counter is more than ${COUNTER_GAP} above that of the newest device list.`);
  const name = deviceListName(archiveId, counter);
  if (newest !== null && counter <= newest) {
    const there = await readIfThere(blobs, name);
    if (there === null || !equalBytes(there, bytes))
      throw new ProtocolError('conflict', { message: `A device list with counter ${newest} is stored.` });
    return;
  }
  await putOnce(blobs, name, bytes);
}

async function newestCounter(blobs: Pick<BlobStore, 'list'>, archiveId: Uint8Array): Promise<number | null> {
  const prefix = folderPrefix(archiveId, 'devices');
  let newest: number | null = null;
  for await (const { name } of blobs.list(prefix)) newest = Number(name.slice(prefix.length));
  return newest;
}

/** The key of a device by the newest stored list. The list's own signature is for readers to judge, who know the identity. */
export async function listedDeviceKey(
  blobs: Pick<BlobStore, 'get' | 'list'>,
  archiveId: Uint8Array,
  deviceId: Uint8Array,
): Promise<Uint8Array | null> {
  const counter = await newestCounter(blobs, archiveId);
  if (counter === null) return null;
  const bytes = await blobs.get(deviceListName(archiveId, counter));
  const { devices } = decodeDeviceList(decodeStatement(bytes).body);
  return devices.find((device) => equalBytes(device.deviceId, deviceId))?.publicKey ?? null;
}
