// The port of an archive's keys: what can be done with them, without how. crypto-node/ binds it to
// node:crypto, synchronous; crypto/ to WebCrypto, asynchronous. One suite awaits both.

import type { ChunkEntry } from './entry.ts';
import type { Expected } from './frame.ts';
import type { Kind } from './kinds.ts';

export type Opened = { readonly entry: ChunkEntry; readonly plaintext: Uint8Array };

/** Fills the array with random bytes. */
export type FillRandom = (target: Uint8Array) => unknown;

export type ArchiveCrypto = {
  /** The generation that `seal` uses. */
  readonly newest: number;
  /** For kinds with links `plaintext` is the body. */
  chunkId(kind: Kind, plaintext: Uint8Array, links?: Uint8Array): Uint8Array;
  /** 16 bytes that name a small file by its content. */
  fileId(content: Uint8Array): Uint8Array;
  /** A whole frame. `id` must be what `chunkId` gives for the same arguments. */
  seal(kind: Kind, id: Uint8Array, plaintext: Uint8Array, links?: Uint8Array): Uint8Array;
  /** Checks all that format §3.2 asks for; for kinds with links `plaintext` is the body. */
  open(frame: Uint8Array, expected?: Expected): Opened;
  /** The 256 numbers of FastCDC as signed 32-bit integers. */
  gear(): Int32Array;
  /** format §2.1: a u32 that decides where parts and lists are cut. */
  border(label: string, level: number, bytes: Uint8Array): number;
  snapshotMac(envelope: Uint8Array): Uint8Array;
};

export type AsyncArchiveCrypto = {
  readonly [K in keyof ArchiveCrypto]: ArchiveCrypto[K] extends (...args: infer A) => infer R
    ? (...args: A) => Promise<R>
    : ArchiveCrypto[K];
};
