// Verifies a pack while its bytes arrive (format §4), for a server that takes packs in: header, every
// entry, every length, then the table byte for byte against the entries that passed. Bodies are hashed
// and let go; what is kept are the entries. A length that cannot fit is refused as soon as it is read.

import { ArchiveError, invalid } from '../errors.ts';
import { decodeEntry, decodeEntryHead, ENTRY_LENGTH, entryLength } from './entry.ts';
import {
  decodePackHeader,
  encodePackTable,
  type NewHash,
  PACK_HEADER_LENGTH,
  PACK_MAX,
  PACK_TRAILER_LENGTH,
  type PackedFrame,
} from './pack.ts';

type Step = 'header' | 'head' | 'links' | 'body' | 'tail';

export class PackStream {
  private readonly archiveId: Uint8Array | null;
  private readonly newHash: NewHash;
  private readonly hash: ReturnType<NewHash>;
  private readonly frames: PackedFrame[] = [];
  private step: Step = 'header';
  /** What is collected until it is whole: the header, or an entry. */
  private held: Uint8Array = new Uint8Array(PACK_HEADER_LENGTH);
  private filled = 0;
  /** Bytes of the current frame's body still to come. */
  private body = 0;
  /** Where the current frame begins, and what table and trailer will take beside the frames so far. */
  private offset = PACK_HEADER_LENGTH;
  private tailLength = PACK_TRAILER_LENGTH;
  private tail: Uint8Array = new Uint8Array(0);
  private received = 0;

  /** `archiveId` null takes a pack of any archive. */
  constructor(archiveId: Uint8Array | null, newHash: NewHash) {
    this.archiveId = archiveId;
    this.newHash = newHash;
    this.hash = newHash();
  }

  get size(): number {
    return this.received;
  }

  /** Returns the frames whose last byte has come. Rejects at the first byte that cannot be right. */
  push(chunk: Uint8Array): PackedFrame[] {
    const before = this.frames.length;
    this.received += chunk.length;
    if (this.received > PACK_MAX) throw invalid('pack', 'it is over its largest size');
    this.hash.update(chunk);
    for (let at = 0; at < chunk.length; ) at += this.take(chunk, at);
    return this.frames.slice(before);
  }

  /** Call once, after the last byte. Returns all frames. */
  end(): { readonly packId: Uint8Array; readonly frames: readonly PackedFrame[] } {
    if (this.step !== 'tail' || this.filled !== this.tail.length) throw invalid('pack', 'it ends too early');
    return { packId: this.hash.digest(), frames: this.frames };
  }

  /** Consumes some of `chunk` from `at` on and returns how much. */
  private take(chunk: Uint8Array, at: number): number {
    if (this.step === 'head' && this.filled === 0 && chunk[at] === 0) this.beginTail();
    if (this.step === 'tail') return this.compareTail(chunk, at);
    if (this.step === 'body') return this.skipBody(chunk.length - at);
    const count = Math.min(this.held.length - this.filled, chunk.length - at);
    this.held.set(chunk.subarray(at, at + count), this.filled);
    this.filled += count;
    if (this.filled === this.held.length) this.collected();
    return count;
  }

  private collected(): void {
    if (this.step === 'header') {
      decodePackHeader(this.held, this.archiveId);
      this.beginHead();
    } else if (this.step === 'head') {
      this.admit();
    } else {
      this.beginBody();
    }
  }

  private beginHead(): void {
    this.step = 'head';
    this.held = new Uint8Array(ENTRY_LENGTH);
    this.filled = 0;
  }

  /** An entry's numbers are known: does the frame, with its row in the table, still fit? */
  private admit(): void {
    const { linkCount, storedLength } = decodeEntryHead(this.held);
    const length = entryLength(linkCount);
    this.tailLength += 4 + length;
    if (this.offset + length + storedLength + this.tailLength > PACK_MAX)
      throw invalid('pack', `a frame at ${this.offset} would take it over its largest size`);
    if (linkCount === 0) {
      this.beginBody();
      return;
    }
    const whole = new Uint8Array(length);
    whole.set(this.held);
    this.held = whole;
    this.step = 'links';
  }

  private beginBody(): void {
    this.body = decodeEntry(this.held).entry.storedLength;
    this.step = 'body';
  }

  private skipBody(available: number): number {
    const count = Math.min(this.body, available);
    this.body -= count;
    if (this.body === 0) {
      const { entry, length } = decodeEntry(this.held);
      this.frames.push({ offset: this.offset, length: length + entry.storedLength, entry });
      this.offset += length + entry.storedLength;
      this.beginHead();
    }
    return count;
  }

  /** A zero byte where an entry could begin is the first offset of the table, or the count of an empty pack. */
  private beginTail(): void {
    this.tail = encodePackTable(this.frames, this.newHash);
    this.step = 'tail';
  }

  private compareTail(chunk: Uint8Array, at: number): number {
    const count = chunk.length - at;
    if (this.filled + count > this.tail.length) throw invalid('pack', 'bytes are left over');
    for (let i = 0; i < count; i++) {
      if (chunk[at + i] !== this.tail[this.filled + i])
        throw new ArchiveError('pack_invalid', { detail: 'its table does not describe its frames' });
    }
    this.filled += count;
    return count;
  }
}
