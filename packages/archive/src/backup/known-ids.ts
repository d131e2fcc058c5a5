/**
 * What an archive at one destination holds, as its last answers said: 16-byte prefixes and the cursor to go on from, in one file
 * that is replaced whole. Losing it costs one full answer.
 *
 * `"HFKNOWN1" · u32 length of the cursor · cursor · prefixes · 16 bytes of SHA-256 over all of it`
 */
import { hash } from 'node:crypto';
import { mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { PREFIX_LENGTH, type PresentIds } from '../endpoint/endpoint.ts';

const MAGIC = Buffer.from('HFKNOWN1');
const CHECK = 16;

export type KnownIds = { readonly cursor: string | null; readonly prefixes: Buffer };
const NOTHING: KnownIds = { cursor: null, prefixes: Buffer.alloc(0) };

function fileOf(directory: string, owner: readonly Uint8Array[]): string {
  return join(directory, `${hash('sha256', Buffer.concat(owner), 'hex').slice(0, 32)}.ids`);
}

export function loadKnownIds(directory: string | null, owner: readonly Uint8Array[]): KnownIds {
  if (directory === null) return NOTHING;
  let bytes: Buffer;
  try {
    bytes = readFileSync(fileOf(directory, owner));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return NOTHING;
    throw error;
  }
  const body = bytes.subarray(0, -CHECK);
  const whole = bytes.length >= MAGIC.length + 4 + CHECK && checkOf(body).equals(bytes.subarray(-CHECK));
  if (!whole || !body.subarray(0, MAGIC.length).equals(MAGIC)) return NOTHING;
  const from = MAGIC.length + 4;
  const to = from + body.readUInt32LE(MAGIC.length);
  return { cursor: body.toString('utf8', from, to), prefixes: body.subarray(to) };
}

export function saveKnownIds(directory: string | null, owner: readonly Uint8Array[], known: KnownIds): void {
  if (directory === null || known.cursor === null) return;
  mkdirSync(directory, { recursive: true, mode: 0o700 });
  const cursor = Buffer.from(known.cursor);
  const length = Buffer.alloc(4);
  length.writeUInt32LE(cursor.length);
  const body = Buffer.concat([MAGIC, length, cursor, known.prefixes]);
  const path = fileOf(directory, owner);
  writeFileSync(`${path}.new`, Buffer.concat([body, checkOf(body)]), { mode: 0o600 });
  renameSync(`${path}.new`, path);
}

/** What is known after another answer. */
export function applyPresent(known: KnownIds, answer: PresentIds): KnownIds {
  if (answer.full) return { cursor: answer.cursor, prefixes: Buffer.from(answer.prefixes) };
  const kept = without(known.prefixes, answer.removed);
  return {
    cursor: answer.cursor,
    prefixes: answer.prefixes.length === 0 ? kept : Buffer.concat([kept, answer.prefixes]),
  };
}

function without(prefixes: Buffer, removed: Uint8Array): Buffer {
  if (removed.length === 0) return prefixes;
  const gone = new Set([...each(Buffer.from(removed))]);
  const kept = Buffer.alloc(prefixes.length);
  let end = 0;
  let at = 0;
  for (const prefix of each(prefixes)) {
    if (!gone.has(prefix)) end += prefixes.copy(kept, end, at, at + PREFIX_LENGTH);
    at += PREFIX_LENGTH;
  }
  return kept.subarray(0, end);
}

function* each(prefixes: Buffer): Iterable<string> {
  for (let at = 0; at < prefixes.length; at += PREFIX_LENGTH) yield prefixes.toString('latin1', at, at + PREFIX_LENGTH);
}

const checkOf = (bytes: Uint8Array): Buffer => hash('sha256', bytes, 'buffer').subarray(0, CHECK);
