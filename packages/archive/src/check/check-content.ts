// The content that files are cut from: data and bundles. Each chunk is looked up once, and opened when it is among those to be read.
//
// Only as much is held per chunk as tells whether it is done and how long it must be, or is: 16 bytes of its id and one number.

import { IdRows } from '../endpoint/id-rows.ts';
import { ArchiveError } from '../errors.ts';
import { readU32 } from '../format/bytes.ts';
import type { Kind } from '../format/kinds.ts';
import type { OpenedChunk } from '../restore/chunk-reader.ts';
import type { SessionReader } from '../restore/session-reader.ts';
import { type Content, isContentKind } from './chunk-links.ts';
import type { Locator } from './locator.ts';
import { type ChunkFinding, unreadable } from './walk-structure.ts';

/** The two upper bits of a chunk's number; below them a length, at most 2^23 (format §3.2). */
const STATE = {
  /** To be looked up; the number is the length it must have. */
  waiting: 0,
  /** Opened; the number is its length. */
  read: 1,
  /** It has a location and was not opened. */
  located: 2,
  /** Something was found about it. */
  bad: 3,
} as const;
const STATE_SHIFT = 30;
const NUMBER_MASK = 0xffffff;

/** Chunks that wait before they are looked up together: enough that those of one pack are read in one go. */
const ENOUGH = 8192;
/** Opened chunks between two words about it: about 8 MiB. */
const TELL_EVERY = 8;

export type ContentCheckOptions = {
  readonly reader: Pick<SessionReader, 'stream'>;
  readonly locator: Pick<Locator, 'locate' | 'reportLost'>;
  /** Share of the chunks that are opened, 0 to 1. */
  readonly share: number;
  /** Which ones: those whose ids follow this place in the circle of all ids, 0 to 1. */
  readonly from: number;
  readonly onFinding: (finding: ChunkFinding) => void;
  /** Some more content was opened. */
  readonly onRead: () => void;
  readonly signal?: AbortSignal;
};

export class ContentCheck {
  /** `bytes`: plaintext of what is done with. */
  readonly counts = { chunks: 0, read: 0, bytes: 0 };
  private readonly options: ContentCheckOptions;
  private readonly known = new IdRows(1);
  private waiting: Uint8Array[] = [];

  constructor(options: ContentCheckOptions) {
    this.options = options;
  }

  add({ id, end }: Content): void {
    const number = this.known.find(id);
    if (number === -1) {
      this.known.append(id, word(STATE.waiting, end));
      this.waiting.push(id.slice());
      this.counts.chunks++;
      return;
    }
    const { state, length } = this.stateOf(number);
    if (state === STATE.waiting && end > length) this.set(number, STATE.waiting, end);
    if (state === STATE.read && end > length) this.find({ kind: 'short', id, error: tooShort(id, length, end) });
  }

  /** Looks up what waits, when it is enough, or when there will be no more. */
  async lookUp(all: boolean): Promise<void> {
    if (this.waiting.length === 0 || (!all && this.waiting.length < ENOUGH)) return;
    const ids = this.waiting;
    this.waiting = [];
    const { share, from } = this.options;
    const chosen = ids.filter((id) => (readU32(id, 0) / 2 ** 32 - from + 1) % 1 < share);
    const others = ids.filter((id) => (readU32(id, 0) / 2 ** 32 - from + 1) % 1 >= share);
    await this.open(chosen);
    await this.locate(others);
  }

  private async open(ids: readonly Uint8Array[]): Promise<void> {
    const { reader, signal } = this.options;
    for (let at = 0; at < ids.length; at += ENOUGH) {
      const batch = ids.slice(at, at + ENOUGH);
      await reader.stream(batch, (index, answer) => this.opened(batch[index] as Uint8Array, answer), signal);
    }
  }

  private opened(id: Uint8Array, answer: OpenedChunk | ArchiveError): void {
    if (answer instanceof ArchiveError) {
      this.find(unreadable(id, answer));
      return;
    }
    this.counts.read++;
    this.counts.bytes += answer.plaintext.length;
    if (this.counts.read % TELL_EVERY === 0) this.options.onRead();
    const number = this.known.find(id);
    const { length } = this.stateOf(number);
    this.set(number, STATE.read, answer.plaintext.length);
    if (!isContentKind(answer.kind)) this.find({ kind: 'wrongKind', id, error: wrongKind(id, answer.kind) });
    else if (answer.plaintext.length < length)
      this.find({ kind: 'short', id, error: tooShort(id, answer.plaintext.length, length) });
  }

  private async locate(ids: readonly Uint8Array[]): Promise<void> {
    const { locator, signal } = this.options;
    const missing: Uint8Array[] = [];
    for (const [i, place] of (await locator.locate(ids, signal)).entries()) {
      const id = ids[i] as Uint8Array;
      const number = this.known.find(id);
      this.counts.bytes += this.stateOf(number).length;
      this.set(number, STATE.located, 0);
      if (place === null) missing.push(id);
      else if (place.kind !== undefined && !isContentKind(place.kind as Kind))
        this.find({ kind: 'wrongKind', id, error: wrongKind(id, place.kind) });
    }
    for (const id of missing) this.find({ kind: 'missing', id, error: new ArchiveError('chunk_missing', { id }) });
    await locator.reportLost(missing, signal);
  }

  private find(finding: ChunkFinding): void {
    this.set(this.known.find(finding.id), STATE.bad, 0);
    this.options.onFinding(finding);
  }

  private stateOf(number: number): { readonly state: number; readonly length: number } {
    const value = this.known.word(number, 0);
    return { state: value >>> STATE_SHIFT, length: value & NUMBER_MASK };
  }

  private set(number: number, state: number, length: number): void {
    this.known.setWord(number, 0, word(state, length));
  }
}

const word = (state: number, length: number): number => ((state << STATE_SHIFT) | length) >>> 0;

const tooShort = (id: Uint8Array, length: number, end: number): ArchiveError =>
  new ArchiveError('chunk_unexpected', { id, detail: `it has ${length} bytes, and a file needs ${end}` });

const wrongKind = (id: Uint8Array, kind: number): ArchiveError =>
  new ArchiveError('chunk_unexpected', { id, detail: `kind ${kind} where content belongs` });
