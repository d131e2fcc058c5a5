/** What one entry of the registry (decoders.ts) says, and how a decoder's answer to hostile input is judged. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as agent from '@holdfast/agent/errors.ts';
import * as archive from '@holdfast/archive/errors.ts';
import * as protocol from '@holdfast/protocol/errors.ts';
import * as server from '@holdfast/server/errors.ts';

export type Decoder = {
  readonly name: string;
  /** The exports that it tries, each as `package/path-below-src name`. */
  readonly of: readonly string[];
  /** Takes bytes that nobody vouches for. Whatever guards them, a checksum or a seal, is made to fit first. */
  readonly decode: (bytes: Uint8Array) => unknown;
  /** Whole inputs; each is accepted. */
  readonly golden: readonly Uint8Array[];
  /** Inputs that lie in a way that chance does not find: each is refused. */
  readonly lies?: readonly Uint8Array[];
  /** What was decoded, written again: gives the input back. */
  readonly encode?: (value: never) => Uint8Array;
  /** How many times as long as most it takes. */
  readonly weight?: number;
};

export type Refusal = { readonly code: string };

/** A refusal has the class of a package and one of its codes. */
export function isRefusal(error: unknown): error is Refusal {
  if (error instanceof archive.ArchiveError) return Object.hasOwn(archive.CODES, error.code);
  if (error instanceof agent.AgentError) return Object.hasOwn(agent.CODES, error.code);
  if (error instanceof protocol.ProtocolError) return Object.hasOwn(protocol.CODES, error.code);
  return error instanceof server.ServerError && Object.hasOwn(server.CODES, error.code);
}

export const utf8 = (text: string): Uint8Array => new TextEncoder().encode(text);
export const textOf = (bytes: Uint8Array): string => new TextDecoder().decode(bytes);

/** A passphrase file that asks for more work, and memory, than ours do: as its header, which nobody had to open to make it. */
export function withWork(file: Uint8Array, work: number): Uint8Array {
  const bytes = Buffer.from(file);
  const [line = ''] = /-> scrypt [^ ]+ \d+/.exec(bytes.toString('latin1')) ?? [];
  const at = bytes.indexOf(line);
  const changed = Buffer.from(line.replace(/\d+$/, String(work)), 'latin1');
  return Buffer.concat([bytes.subarray(0, at), changed, bytes.subarray(at + line.length)]);
}

/** One folder for all decoders that read files, gone when the process ends. */
const folder = mkdtempSync(join(tmpdir(), 'holdfast-hostile-'));
process.once('exit', () => rmSync(folder, { recursive: true, force: true }));

export const placeOf = (name: string): string => join(folder, name);

/** Hands hostile bytes to a reader of files. */
export function inFile<T>(name: string, read: (path: string) => T): (bytes: Uint8Array) => T {
  const path = placeOf(name);
  return (bytes) => {
    writeFileSync(path, bytes);
    return read(path);
  };
}
