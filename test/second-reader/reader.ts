/**
 * A second reader of archives, written from `docs/format.md` alone: it shares no line with the program, so what both
 * read the same is what the document says. It needs a directory and an identity, and no server (format §8).
 *
 * A *stored archive* is the directory, an *identity* opens its key files, an opened *archive* reads its snapshots:
 *
 *     identity  <- identity file, or a wrap opened with a passphrase or a device key
 *     keys      <- every key file of this identity, signed by it, agreeing with each other
 *     devices   <- the newest device list, signed by the identity
 *     index     <- the tables of all packs, each held against its frames
 *     snapshot  <- object with signature, MAC and description checked
 *     rows      <- walk from the root tree; each chunk's id is computed anew when it is opened
 */
import { type ChunkSource, chunkSource, type Place } from './chunk-source.ts';
import { contentHash, demandFileId, type Piece, piecesOf } from './content.ts';
import { type DeviceList, parseDeviceList } from './device-list.ts';
import { type Identity, nameOfRecipient, openDeviceWrap, openPassphraseWrap } from './identity.ts';
import { type ArchiveKeys, joinKeyFiles, openKeyFile } from './keys.ts';
import { type PackedFrame, packIdOf, readPack, scanPack, tableIsDamaged } from './pack.ts';
import { demand, Refusal } from './refusal.ts';
import { openSnapshot, type Snapshot } from './snapshot.ts';
import { openStatement } from './statement.ts';
import type { StoredArchive } from './store-point.ts';
import type { FileEntry, TreeEntry } from './tree-entry.ts';
import { type Row, type WalkOptions, walk } from './walk.ts';

export interface Trust {
  /** Signing keys believed beside the identity's own. */
  readonly pinned?: readonly Buffer[];
  /** The highest counter of a device list seen before. */
  readonly deviceCounter?: number;
}

export interface Archive {
  readonly keys: ArchiveKeys;
  readonly devices: DeviceList;
  readonly chunks: ChunkSource;
  readonly snapshotIds: readonly string[];
  readonly snapshot: (id: string) => Snapshot;
  /** Packs that are not read, and why. */
  readonly refusedPacks: ReadonlyMap<string, Refusal>;
}

export interface ListedRow extends Row {
  /** SHA-256 of a file's content in hex, holes as zeros. */
  readonly hash: string | undefined;
}

const GENERATION_DIGITS = 5;

/** The newest; earlier passphrases count only where somebody asks for them (format §2.5). */
export const identityFromPassphrase = (stored: StoredArchive, passphrase: string): Promise<Identity> =>
  openPassphraseWrap(stored.read('identities', wrapNames(stored, 'passphrase')[0] ?? 'passphrase.age'), passphrase);

/** `recipient` is the device's own, `age` the secret key that belongs to it. */
export async function identityFromDevice(stored: StoredArchive, recipient: string, age: string): Promise<Identity> {
  const failures: unknown[] = [];
  for (const name of wrapNames(stored, nameOfRecipient(recipient))) {
    try {
      return await openDeviceWrap(stored.read('identities', name), age);
    } catch (error) {
      failures.push(error);
    }
  }
  throw failures[0] ?? new Error('There is no wrap for this device.');
}

/** A recipient's, from the newest to the oldest (format §2.5). */
function wrapNames(stored: StoredArchive, recipient: string): string[] {
  const isWrap = new RegExp(`^${recipient}(-[0-9]{5})?\\.age$`);
  const numberOf = (name: string): number => Number(name.slice(recipient.length + 1, -'.age'.length)) || 1;
  const names = stored.names('identities').filter((name) => isWrap.test(name));
  return names.sort((a, b) => numberOf(b) - numberOf(a));
}

async function readKeys(stored: StoredArchive, identity: Identity, pinned: readonly Buffer[]): Promise<ArchiveKeys> {
  const ending = `-${nameOfRecipient(identity.recipient)}.age`;
  const names = stored.names('keys').filter((name) => name.endsWith(ending));
  const files = await Promise.all(names.map((name) => openKeyFile(stored.read('keys', name), identity, pinned)));
  files.forEach(({ generation }, at) => {
    const expected = `${String(generation).padStart(GENERATION_DIGITS, '0')}${ending}`;
    demand(names[at] === expected, 'malformed', `a key file of generation ${generation} under the name ${names[at]}`);
  });
  return joinKeyFiles(stored.archiveId, files);
}

function readDeviceList(stored: StoredArchive, name: string, trusted: readonly Buffer[]): DeviceList | Refusal {
  try {
    const devices = parseDeviceList(openStatement(stored.read('devices', name), 'holdfast device list 1\0', trusted));
    demand(devices.archiveId.equals(stored.archiveId), 'wrong_archive', 'a device list of another archive');
    return devices;
  } catch (error) {
    if (error instanceof Refusal) return error;
    throw error;
  }
}

/** The highest counter among the lists that verify, so that nonsense beside them hides nothing. */
function readDevices(stored: StoredArchive, identity: Identity, { pinned = [], deviceCounter = 0 }: Trust): DeviceList {
  const trusted = [identity.publicKey, ...pinned];
  const lists = stored.names('devices').map((name) => readDeviceList(stored, name, trusted));
  const good = lists.flatMap((list) => (list instanceof Refusal ? [] : [list]));
  const [newest] = good.sort((one, other) => other.counter - one.counter);
  if (newest === undefined) throw lists[0] ?? new Refusal('missing', 'no device list');
  demand(newest.counter >= deviceCounter, 'malformed', 'a device list older than one seen before');
  return newest;
}

function framesOf(stored: StoredArchive, pack: string): readonly PackedFrame[] {
  const bytes = stored.readPack(pack);
  return tableIsDamaged(bytes) ? scanPack(bytes, stored.archiveId) : readPack(bytes, stored.archiveId);
}

function readPacks(stored: StoredArchive): { index: Map<string, Place[]>; refused: Map<string, Refusal> } {
  const index = new Map<string, Place[]>();
  const refused = new Map<string, Refusal>();
  for (const pack of stored.packs()) {
    try {
      for (const frame of framesOf(stored, pack)) {
        index.getOrInsertComputed(frame.entry.id.toString('hex'), () => []).push({ ...frame, pack });
      }
    } catch (error) {
      if (!(error instanceof Refusal)) throw error;
      refused.set(pack, error);
    }
  }
  return { index, refused };
}

export async function openArchive(stored: StoredArchive, identity: Identity, trust: Trust = {}): Promise<Archive> {
  const keys = await readKeys(stored, identity, trust.pinned ?? []);
  const devices = readDevices(stored, identity, trust);
  const { index, refused } = readPacks(stored);
  return {
    keys,
    devices,
    chunks: chunkSource(index, keys, stored.readRange),
    snapshotIds: stored.names('snapshots'),
    snapshot: (id) => {
      const snapshot = openSnapshot(stored.read('snapshots', id), keys, devices);
      demand(snapshot.id === id, 'malformed', `the snapshot ${snapshot.id} under the name ${id}`);
      return snapshot;
    },
    refusedPacks: refused,
  };
}

/** Packs whose bytes do not hash to their names (format §7). */
export const damagedPacks = (stored: StoredArchive): string[] =>
  stored.packs().filter((pack) => packIdOf(stored.readPack(pack)) !== pack);

export function filePieces({ chunks, keys }: Archive, file: FileEntry): Iterable<Piece> {
  demandFileId(file.fileId === undefined ? [] : piecesOf(chunks, file), file, keys);
  return piecesOf(chunks, file);
}

function hashOf(archive: Archive, entry: TreeEntry): string | undefined {
  return entry.type === 'file' ? contentHash(filePieces(archive, entry), entry.size) : undefined;
}

/** All rows of a snapshot with the hashes of their files. */
export function listSnapshot(archive: Archive, { envelope }: Snapshot, options: WalkOptions = {}): ListedRow[] {
  return [...walk(archive.chunks, envelope.root, options)].map((row) => ({ ...row, hash: hashOf(archive, row.entry) }));
}
