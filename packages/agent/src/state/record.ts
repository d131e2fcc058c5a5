import { readFileSync } from 'node:fs';
import { AgentError } from '../errors.ts';
import { writeAtomic } from './atomic-file.ts';

/**
 * A record is one JSON file `{ "version": n, ... }`. The version before this one must still be able to read what this
 * one writes, so fields are added, never changed; a reader keeps to the fields it knows.
 */
export type Fields = Readonly<Record<string, unknown>>;

export const RECORD_VERSION = 1;

/** `null` when there is none yet. `parse` throws or returns the record; whatever it throws makes it damaged. */
export function readRecord<T>(path: string, parse: (fields: Fields) => T): T | null {
  const text = readIfThere(path);
  if (text === null) return null;
  let fields: unknown;
  try {
    fields = JSON.parse(text);
    if (typeof fields !== 'object' || fields === null) throw new TypeError('not an object');
  } catch (cause) {
    throw damaged(path, cause);
  }
  const { version } = fields as Fields;
  if (typeof version === 'number' && version > RECORD_VERSION) {
    throw new AgentError('state_newer', { what: `${path} has version ${version}`, data: { path, version } });
  }
  try {
    return parse(fields as Fields);
  } catch (cause) {
    throw damaged(path, cause);
  }
}

export function writeRecord(path: string, fields: object): void {
  writeAtomic(path, `${JSON.stringify({ version: RECORD_VERSION, ...fields }, null, 2)}\n`);
}

export function readIfThere(path: string): string | null {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
    throw error;
  }
}

const damaged = (path: string, cause: unknown) =>
  new AgentError('state_damaged', {
    what: `${path}: ${cause instanceof Error ? cause.message : String(cause)}`,
    data: { path },
    cause,
  });

// Readers of single fields: each names the field when it is not what it should be.

export function text(fields: Fields, name: string): string {
  return expect(fields, name, 'a text', (v): v is string => typeof v === 'string');
}

export function number(fields: Fields, name: string): number {
  return expect(fields, name, 'a number', (v): v is number => typeof v === 'number' && Number.isFinite(v));
}

export function list(fields: Fields, name: string): readonly unknown[] {
  return expect(fields, name, 'a list', (v): v is unknown[] => Array.isArray(v));
}

export function optional<T>(read: (fields: Fields, name: string) => T, fields: Fields, name: string): T | null {
  return fields[name] === undefined || fields[name] === null ? null : read(fields, name);
}

export function isFields(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function expect<T>(fields: Fields, name: string, what: string, is: (value: unknown) => value is T): T {
  const value = fields[name];
  if (!is(value)) throw new TypeError(`${name} should be ${what}`);
  return value;
}
