/**
 * Gets chunks out of an archive: asks where they lie, reads joined ranges of packs, has the frames opened, and follows them when
 * they move. Pure: the endpoint and the opener (worker threads, or WebCrypto in a page) are given.
 *
 * ```
 * stream(ids): until every chunk is delivered or given up
 *   locate the open ones; no location     -> reported lost, delivered as chunk_missing
 *   plan the reads (plan.ts); for each, some at a time:
 *     read it       chunk_moved -> open again · pack_missing -> reported lost, open again
 *     open frames   opens -> delivered · does not -> reported lost, open again
 *   a chunk that is open again and has no other location than before is delivered as its error
 * ```
 * A session that ended is opened again, and the question repeated. Memory: READS_IN_FLIGHT reads and what the opener holds.
 */

import type { ArchiveEndpoint, ArchiveSession, Location, Purpose } from '../endpoint/endpoint.ts';
import { ArchiveError, type ArchiveErrorCode } from '../errors.ts';
import { concatBytes } from '../format/bytes.ts';
import { equalBytes, ID_LENGTH, toHex } from '../format/ids.ts';
import type { ChunkReader, OpenedChunk } from './chunk-reader.ts';
import { type PlacedChunk, planReads, type Read } from './plan.ts';

export type FrameToOpen = {
  readonly chunk: number;
  /** From the beginning of the range. */
  readonly at: number;
  readonly length: number;
  readonly id: Uint8Array;
  /** Where its content goes instead of back to the receiver, if it is content (kinds data and bundle). */
  readonly writes?: readonly Write[];
};

/** Bytes of a chunk that belong into an open file. */
export type Write = {
  readonly fd: number;
  /** In the chunk. */
  readonly from: number;
  readonly length: number;
  /** In the file. */
  readonly position: number;
};

/** What came of a write: `null` is done, `short` means that the chunk ends before the bytes do, anything else is the system's code. */
export type WriteResult = string | null;

/** Called once per chunk, as they come; `chunk` is the index in the question. */
export type Deliver = (chunk: number, answer: OpenedChunk | ArchiveError) => void;

/** As Deliver; `written`, one for each of the frame's writes, when its content went into files. */
export type DeliverOpened = (
  chunk: number,
  answer: OpenedChunk | ArchiveError,
  written?: readonly WriteResult[],
) => void;

/**
 * Lets large content go from the thread that opens it straight into files: it would cost the receiver, which is one thread, as much as all else it does.
 * Asked before a chunk is opened; each chunk that was lent for is given back, `written` null when nothing of it was written: then
 * it is delivered, or looked for again, as usual.
 */
export interface Lending {
  lend(chunk: number): readonly Write[] | null;
  giveBack(chunk: number, written: readonly WriteResult[] | null): void;
}

/**
 * Opens frames (format §3.2). Owes: `deliver` once for each frame, with what it held or why it does not open; the next ones not before `deliver`
 * returns, however many were asked for, so that the receiver decides the pace. `range` belongs to the opener.
 */
export interface FrameOpener {
  open(range: Uint8Array, frames: readonly FrameToOpen[], deliver: DeliverOpened): Promise<void>;
}

export type ReadStats = { readonly packs: number; readonly reads: number; readonly bytesRead: number };

type Reading = { readonly packs: Set<string>; reads: number; bytesRead: number };

export interface SessionReader extends ChunkReader {
  /** Delivers each chunk as it comes, in the order that reads best. Ids must be unique. */
  stream(ids: readonly Uint8Array[], deliver: Deliver, signal?: AbortSignal, lending?: Lending): Promise<void>;
  /** The reads that `stream` would begin with, and the chunks that have no location. */
  plan(ids: readonly Uint8Array[], signal?: AbortSignal): Promise<{ reads: Read[]; missing: number[] }>;
  /** What was read so far. */
  stats(): ReadStats;
  close(): Promise<void>;
}

export type SessionReaderOptions = {
  readonly endpoint: Pick<ArchiveEndpoint, 'openSession'>;
  readonly opener: FrameOpener;
  readonly purpose?: Purpose;
  readonly readsInFlight?: number;
};

export const READS_IN_FLIGHT = 6;
/** Ids per question. */
const LOCATE_BATCH = 4096;
/** How often a chunk is looked for again before it is given up: compaction may move it once, seldom twice. */
const ROUNDS = 6;

/** What says that the stored chunk is no good, rather than that we cannot read it (keys of another generation, a newer format). */
const LOSS: ReadonlySet<ArchiveErrorCode> = new Set<ArchiveErrorCode>([
  'chunk_missing',
  'pack_missing',
  'chunk_seal_broken',
  'chunk_id_mismatch',
  'chunk_unexpected',
  'format_invalid',
]);

export function createSessionReader(options: SessionReaderOptions): SessionReader {
  const sessions = new Sessions(options.endpoint, options.purpose ?? 'restore');
  const reading: Reading = { packs: new Set(), reads: 0, bytesRead: 0 };
  const stream: SessionReader['stream'] = (ids, deliver, signal, lending) =>
    new Streaming(sessions, options, reading, ids, deliver, signal, lending).run();
  return {
    stats: () => ({ ...reading, packs: reading.packs.size }),
    stream,
    read: async (ids, signal) => readInOrder(ids, (unique, deliver) => stream(unique, deliver, signal)),
    plan: async (ids, signal) => {
      const { placed, missing } = place(ids, await locate(sessions, ids, signal));
      return { reads: planReads(placed), missing };
    },
    close: () => sessions.close(),
  };
}

/** Answers in the order of the question, in which an id may stand more than once. */
async function readInOrder(
  ids: readonly Uint8Array[],
  stream: (unique: readonly Uint8Array[], deliver: Deliver) => Promise<void>,
): Promise<(OpenedChunk | ArchiveError)[]> {
  const index = new Map<string, number>();
  const unique: Uint8Array[] = [];
  const places = ids.map((id) => {
    const key = toHex(id);
    const known = index.get(key);
    if (known !== undefined) return known;
    index.set(key, unique.length);
    return unique.push(id) - 1;
  });
  const answers: (OpenedChunk | ArchiveError)[] = [];
  await stream(unique, (chunk, answer) => {
    answers[chunk] = answer;
  });
  return places.map((place) => answers[place] as OpenedChunk | ArchiveError);
}

/** The session in use; one that ended is replaced by a new one. */
class Sessions {
  private current: Promise<ArchiveSession> | null = null;
  private readonly endpoint: Pick<ArchiveEndpoint, 'openSession'>;
  private readonly purpose: Purpose;

  constructor(endpoint: Pick<ArchiveEndpoint, 'openSession'>, purpose: Purpose) {
    this.endpoint = endpoint;
    this.purpose = purpose;
  }

  async use<T>(ask: (session: ArchiveSession) => Promise<T>, signal?: AbortSignal): Promise<T> {
    for (let left = 3; ; left--) {
      signal?.throwIfAborted();
      this.current ??= this.endpoint.openSession(this.purpose, signal);
      const used = this.current;
      try {
        return await ask(await used);
      } catch (error) {
        const ended = error instanceof ArchiveError && error.code === 'session_ended';
        if (this.current === used && (ended || !(await opened(used)))) this.current = null;
        if (!ended || left === 0) throw error;
      }
    }
  }

  async close(): Promise<void> {
    const { current } = this;
    this.current = null;
    if (current !== null && (await opened(current))) await (await current).close();
  }
}

const opened = (session: Promise<ArchiveSession>): Promise<boolean> =>
  session.then(
    () => true,
    () => false,
  );

async function locate(
  sessions: Sessions,
  ids: readonly Uint8Array[],
  signal?: AbortSignal,
): Promise<(Location | null)[]> {
  const locations: (Location | null)[] = [];
  for (let at = 0; at < ids.length; at += LOCATE_BATCH) {
    const question = concatBytes(...ids.slice(at, at + LOCATE_BATCH));
    locations.push(...(await sessions.use((session) => session.locate(question, signal), signal)));
  }
  return locations;
}

function place(ids: readonly Uint8Array[], locations: readonly (Location | null)[]) {
  const placed: PlacedChunk[] = [];
  const missing: number[] = [];
  for (const chunk of ids.keys()) {
    const location = locations[chunk];
    if (location) placed.push({ chunk, packId: location.packId, offset: location.offset, length: location.length });
    else missing.push(chunk);
  }
  return { placed, missing };
}

/** One `stream` under way. */
class Streaming {
  /** Chunks that are to be looked for again, with the place at which they were not to be had. */
  private failed = new Map<number, { readonly at: PlacedChunk; readonly error: ArchiveError }>();
  private moved: number[] = [];
  private readonly sessions: Sessions;
  private readonly options: SessionReaderOptions;
  private readonly reading: Reading;
  private readonly ids: readonly Uint8Array[];
  private readonly deliver: Deliver;
  private readonly signal: AbortSignal | undefined;
  private readonly lending: Lending | undefined;

  constructor(
    sessions: Sessions,
    options: SessionReaderOptions,
    reading: Reading,
    ids: readonly Uint8Array[],
    deliver: Deliver,
    signal: AbortSignal | undefined,
    lending: Lending | undefined,
  ) {
    this.lending = lending;
    this.sessions = sessions;
    this.options = options;
    this.reading = reading;
    this.ids = ids;
    this.deliver = deliver;
    this.signal = signal;
  }

  async run(): Promise<void> {
    let open = [...this.ids.keys()];
    for (let round = 0; open.length > 0 && round < ROUNDS; round++) {
      const placed = await this.placeAgain(open);
      this.moved = [];
      await this.readAll(planReads(placed), placed);
      await this.report([...this.failed.keys()]);
      open = [...this.moved, ...this.failed.keys()];
    }
    for (const chunk of open) this.deliver(chunk, this.failed.get(chunk)?.error ?? this.error('chunk_moved', chunk));
  }

  /** Where the open chunks lie now; delivers those that have no place left to look at. */
  private async placeAgain(open: readonly number[]): Promise<PlacedChunk[]> {
    const ids = open.map((chunk) => this.ids[chunk] as Uint8Array);
    const { placed, missing } = place(ids, await locate(this.sessions, ids, this.signal));
    const before = this.failed;
    this.failed = new Map();
    const lost = missing.map((index) => open[index] as number);
    await this.report(lost);
    for (const chunk of lost) this.deliver(chunk, before.get(chunk)?.error ?? this.error('chunk_missing', chunk));
    return placed.flatMap((found) => {
      const here = { ...found, chunk: open[found.chunk] as number };
      const earlier = before.get(here.chunk);
      if (earlier === undefined || !samePlace(earlier.at, here)) return [here];
      this.deliver(here.chunk, earlier.error);
      return [];
    });
  }

  private async readAll(reads: readonly Read[], placed: readonly PlacedChunk[]): Promise<void> {
    const places = new Map(placed.map((at) => [at.chunk, at]));
    const left = reads[Symbol.iterator]();
    let stopped = false;
    const lane = async () => {
      try {
        for (const read of left) {
          if (stopped) return;
          await this.readAndOpen(read, places);
        }
      } finally {
        stopped = true; // reached early only by an error, which the other lanes need not go on after
      }
    };
    const lanes = Array.from({ length: this.options.readsInFlight ?? READS_IN_FLIGHT }, lane);
    const ends = await Promise.allSettled(lanes);
    for (const end of ends) if (end.status === 'rejected') throw end.reason;
  }

  private async readAndOpen(read: Read, places: ReadonlyMap<number, PlacedChunk>): Promise<void> {
    const range = await this.readRange(read, places);
    if (range === null) return;
    const lent = new Set<number>();
    const frames = read.frames.map((frame): FrameToOpen => {
      const id = this.ids[frame.chunk] as Uint8Array;
      const writes = this.lending?.lend(frame.chunk) ?? null;
      if (writes === null) return { ...frame, id };
      lent.add(frame.chunk);
      return { ...frame, id, writes };
    });
    await this.options.opener.open(range, frames, (chunk, answer, written) => {
      this.signal?.throwIfAborted();
      if (lent.has(chunk)) this.lending?.giveBack(chunk, written ?? null);
      if (written !== undefined) return;
      if (answer instanceof ArchiveError && LOSS.has(answer.code)) this.fail(chunk, answer, places);
      else this.deliver(chunk, answer);
    });
  }

  /** `null` when its chunks have to be looked for again. */
  private async readRange(
    { packId, offset, length, frames }: Read,
    places: ReadonlyMap<number, PlacedChunk>,
  ): Promise<Uint8Array | null> {
    try {
      const range = await this.sessions.use(
        (session) => session.read(packId, offset, length, this.signal),
        this.signal,
      );
      this.reading.packs.add(toHex(packId));
      this.reading.reads++;
      this.reading.bytesRead += range.length;
      return range;
    } catch (error) {
      if (!(error instanceof ArchiveError)) throw error;
      if (error.code === 'chunk_moved') this.moved.push(...frames.map(({ chunk }) => chunk));
      else if (error.code === 'pack_missing') for (const { chunk } of frames) this.fail(chunk, error, places);
      else throw error;
      return null;
    }
  }

  private fail(chunk: number, error: ArchiveError, places: ReadonlyMap<number, PlacedChunk>): void {
    this.failed.set(chunk, { at: places.get(chunk) as PlacedChunk, error });
  }

  private async report(chunks: readonly number[]): Promise<void> {
    if (chunks.length === 0) return;
    const ids = concatBytes(...chunks.map((chunk) => this.ids[chunk] as Uint8Array));
    await this.sessions.use((session) => session.reportLost(ids, this.signal), this.signal);
  }

  private error(code: ArchiveErrorCode, chunk: number): ArchiveError {
    const id = this.ids[chunk] as Uint8Array;
    return new ArchiveError(code, { id, detail: toHex(id).slice(0, 2 * ID_LENGTH) });
  }
}

const samePlace = (a: PlacedChunk, b: PlacedChunk): boolean => a.offset === b.offset && equalBytes(a.packId, b.packId);
