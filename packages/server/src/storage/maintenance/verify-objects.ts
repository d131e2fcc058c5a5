// Verify for all that is no pack: snapshots, receipts, tombstones, key files, identity wraps, device lists, the policy.
//
// What is signed is judged by its signature, a snapshot by its name and the hash in its envelope as well. What a server has no key
// to judge (key files, wraps, a snapshot's MAC, the policy's numbers) must have the bytes that it had when it was stored or first seen.
// A receipt that is bad or gone is made again: it says what the row says.

import { verify as verifySignature } from 'node:crypto';
import { ArchiveError } from '@holdfast/archive/errors.ts';
import { HYBRID_STANZA, PASSPHRASE_STANZA, readAgeStanzas } from '@holdfast/archive/format/age-header.ts';
import { decodeDeviceList } from '@holdfast/archive/format/device-list.ts';
import { equalBytes, toHex } from '@holdfast/archive/format/ids.ts';
import { decodeReceipt } from '@holdfast/archive/format/receipt.ts';
import { decodeEnvelope, decodeSnapshotObject } from '@holdfast/archive/format/snapshot.ts';
import { decodeStatement, LABEL, type Label, signedMessage } from '@holdfast/archive/format/statement.ts';
import { decodeTombstone } from '@holdfast/archive/format/tombstone.ts';
import { archivePrefix, parseName, receiptName, type StoredObject } from '@holdfast/archive/store/layout.ts';
import { forgetObject, hashOf, notedHash, notedObjects, noteIfNew } from '../index/objects.ts';
import { committedSnapshots, findSnapshot, type Snapshot } from '../index/snapshots.ts';
import { SNAPSHOT_STATE } from '../index/tables.ts';
import { conclude } from '../index/troubles.ts';
import { publicKeyOf } from '../public-key.ts';
import { readIfThere } from '../reads/lists.ts';
import { makeReceipt } from '../receipts.ts';
import { readPolicy } from './policy.ts';
import type { Run } from './run.ts';

export type ObjectsResult = { objects: number; damagedObjects: number; receiptsMade: number };

type Found = { readonly name: string; readonly object: StoredObject };
type Damaged = Found & { readonly why: string };

export async function verifyObjects(run: Run): Promise<ObjectsResult> {
  const { point, archive } = run;
  const noted = await point.index.read((on) => notedObjects(on, archive));
  const snapshots = await point.index.read((on) => committedSnapshots(on, archive.number));
  const damaged: Damaged[] = [];
  let objects = 0;
  for await (const found of smallObjects(run)) {
    objects += 1;
    const why = await problemOf(run, found, noted.get(found.name));
    noted.delete(found.name);
    if (why !== null) damaged.push({ ...found, why });
  }
  for (const name of noted.keys()) {
    const object = parseName(name);
    if (object === null || !(await isGone(run, name))) continue;
    if (IS_NEVER_TAKEN_AWAY.has(object.kind)) damaged.push({ name, object, why: 'it is gone' });
    else await run.step((on) => forgetObject(on, archive, name));
  }
  const receiptsMade = await makeReceipts(run, snapshots, damaged);
  const left = damaged.filter(({ object }) => object.kind !== 'receipt');
  const trouble = { code: 'objects_damaged' } as const;
  await run.step((on) => conclude(on, archive.number, trouble, left.length > 0, point.now()));
  if (left.length > 0) report(run, left, snapshots);
  return { objects, damagedObjects: left.length, receiptsMade };
}

async function* smallObjects({ point, archive, signal }: Run): AsyncGenerator<Found> {
  const prefix = archivePrefix(archive.id);
  // Packs lie between the folders of the small objects, and are many
  for (const folder of ['devices/', 'identities/', 'keys/', 'policy', 'receipts/', 'snapshots/', 'tombstones/'])
    for await (const { name } of point.blobs.list(prefix + folder, signal ? { signal } : {})) {
      const object = parseName(name);
      if (object !== null) yield { name, object };
    }
}

/** Why it is damaged, or null. An object that is seen for the first time is noted when it is sound as far as can be told. */
async function problemOf(run: Run, { name, object }: Found, noted: string | undefined): Promise<string | null> {
  const bytes = await readIfThere(run.point.blobs, name);
  if (bytes === null) return null; // retired while it was looked at
  try {
    await judge(run, object, bytes);
  } catch (error) {
    if (error instanceof ArchiveError) return error.message;
    throw error;
  }
  if (!MUST_STAY.has(object.kind)) return null;
  if (noted === undefined) await noteFirst(run, object, name, bytes);
  else if (toHex(hashOf(bytes)) !== noted && !(await isJustReplaced(run, name, noted)))
    return 'its bytes are not those that were stored';
  return null;
}

/** Not a policy: what was read of it may have been replaced since by a run that died before it noted the new one. */
async function noteFirst(
  { archive, step }: Run,
  { kind }: StoredObject,
  name: string,
  bytes: Uint8Array,
): Promise<void> {
  if (kind !== 'policy') await step((on) => noteIfNew(on, archive, name, bytes));
}

/** Retention forgets what a policy was before it replaces it. */
async function isJustReplaced({ point, archive }: Run, name: string, before: string): Promise<boolean> {
  const now = await point.index.read((on) => notedHash(on, archive, name));
  return now === null || toHex(now) !== before;
}

/** Without keys nothing else tells whether these are whole. */
const MUST_STAY: ReadonlySet<StoredObject['kind']> = new Set(['snapshot', 'keyFile', 'identity', 'policy']);

/** Retention takes snapshots away, and reconcile names those that vanished; a raised key level takes wraps away. */
const IS_NEVER_TAKEN_AWAY: ReadonlySet<StoredObject['kind']> = new Set(['keyFile', 'policy']);

async function judge({ point, archive }: Run, object: StoredObject, bytes: Uint8Array): Promise<void> {
  switch (object.kind) {
    case 'snapshot':
      return judgeSnapshot(object.id, bytes);
    case 'receipt':
      return judgeId(object.id, decodeReceipt(signedBody(LABEL.receipt, bytes)).snapshotId);
    case 'tombstone':
      return judgeId(object.id, decodeTombstone(signedBody(LABEL.tombstone, bytes)).snapshotId);
    case 'deviceList':
      if (decodeDeviceList(signedBody(LABEL.deviceList, bytes)).counter !== object.counter)
        throw bad('another counter');
      return;
    case 'keyFile':
    case 'identity':
      return judgeAge(bytes);
    case 'policy':
      await readPolicy(point.blobs, archive.id);
      return;
    case 'pack':
      return;
    default:
      return object satisfies never;
  }
}

function judgeSnapshot(id: Uint8Array, bytes: Uint8Array): void {
  const { envelope, description } = decodeSnapshotObject(bytes);
  judgeId(id, hashOf(envelope));
  if (!equalBytes(hashOf(description), decodeEnvelope(envelope).descriptionHash)) throw bad('another description');
}

function judgeId(name: Uint8Array, inside: Uint8Array): void {
  if (!equalBytes(name, inside)) throw bad('it is not the one that its name says');
}

function judgeAge(bytes: Uint8Array): void {
  const [stanza, ...more] = readAgeStanzas(bytes);
  const isOurs = stanza?.type === HYBRID_STANZA || stanza?.type === PASSPHRASE_STANZA;
  if (!isOurs || more.length > 0) throw bad('its header is not that of an age file for one recipient');
}

function signedBody(label: Label, bytes: Uint8Array): Uint8Array {
  const { body, signature, signer } = decodeStatement(bytes);
  if (!verifySignature(null, signedMessage(label, body), publicKeyOf(signer), signature))
    throw bad('its signature does not fit');
  return body;
}

const bad = (detail: string): ArchiveError => new ArchiveError('format_invalid', { detail });

async function isGone({ point, archive }: Run, name: string): Promise<boolean> {
  if ((await point.blobs.stat(name)) !== null) return false;
  return (await point.index.read((on) => notedHash(on, archive, name))) !== null;
}

async function makeReceipts(run: Run, snapshots: readonly Snapshot[], damaged: readonly Damaged[]): Promise<number> {
  const { point, archive } = run;
  const bad = new Set(damaged.flatMap(({ object }) => (object.kind === 'receipt' ? [toHex(object.id)] : [])));
  let made = 0;
  for (const snapshot of snapshots) {
    const name = receiptName(archive.id, snapshot.id);
    if (!bad.has(toHex(snapshot.id)) && (await point.blobs.stat(name)) !== null) continue;
    if (await makeReceiptOf(run, snapshot, name)) made += 1;
  }
  return made;
}

/** The row is asked afterwards: the receipt of a snapshot that was retired meanwhile would stand for one that was lost. */
async function makeReceiptOf({ point, archive }: Run, { id, received }: Snapshot, name: string): Promise<boolean> {
  await point.blobs.put(name, await makeReceipt(point, { archiveId: archive.id, snapshotId: id, received }));
  const row = await point.index.read((on) => findSnapshot(on, archive.number, id));
  if (row?.state !== SNAPSHOT_STATE.committed) {
    await point.blobs.delete(name);
    return false;
  }
  point.log.warn({ name }, 'a receipt was damaged or gone, and is made again');
  return true;
}

function report({ archive, emit }: Run, damaged: readonly Damaged[], snapshots: readonly Snapshot[]): void {
  const affected = snapshots.filter((snapshot) => damaged.some(({ object }) => isNeededBy(object, snapshot)));
  const devices = [...new Set(affected.map(({ device }) => toHex(device)))];
  const names = damaged.map(({ name }) => name.slice(archivePrefix(archive.id).length));
  const message = `${names.join(', ')} damaged or gone; ${affected.length} snapshots of ${devices.length} devices may need them: put them back from a copy of the store point, and let every device back up`;
  const data = {
    objects: damaged.map(({ why }, i) => ({ name: names[i], why })),
    snapshots: affected.map(({ id, device }) => ({ id: toHex(id), device: toHex(device) })),
    devices,
  };
  emit({ kind: 'alert', alert: 'objects_damaged', message, data });
}

/** Keys, wraps and lists are for all that is in the archive. */
const isNeededBy = (object: StoredObject, { id }: Snapshot): boolean =>
  object.kind === 'snapshot' || object.kind === 'tombstone' ? equalBytes(object.id, id) : true;
