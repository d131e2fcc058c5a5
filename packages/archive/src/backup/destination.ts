/**
 * The archive at its destination during one run: keeps a session open, knows what is there, repeats what failed for a while.
 *
 * A session that ended is replaced by a new one in which the questions are asked again; what had been thought present and is not any
 * more is dropped from the table, so that it is stored again. A pack is never sent twice for that reason alone: commits, which end a
 * session, wait until no pack is under way.
 */
import type { ArchiveEndpoint, ArchiveSession, CommitResult, PackUpload } from '../endpoint/endpoint.ts';
import { PREFIX_LENGTH } from '../endpoint/endpoint.ts';
import { ArchiveError } from '../errors.ts';
import type { ClaimTable } from './claim-table.ts';
import { applyPresent, type KnownIds, loadKnownIds, saveKnownIds } from './known-ids.ts';
import type { BackupEvent } from './options.ts';

/** Tries again after so long, doubling, ms. */
const FIRST_WAIT = 500;
const LONGEST_WAIT = 60_000;
/** And gives up after so long without success, ms, unless told otherwise. */
const PATIENCE = 15 * 60_000;

export type DestinationOptions = {
  readonly endpoint: ArchiveEndpoint;
  readonly cacheDir: string | null;
  readonly owner: readonly Uint8Array[];
  /** How long to repeat what failed, ms. */
  readonly patienceMs: number | undefined;
  readonly signal: AbortSignal;
  readonly onEvent: (event: BackupEvent) => void;
};

export class Destination {
  private readonly options: DestinationOptions;
  private session: Promise<ArchiveSession> | null = null;
  private known: KnownIds;
  private table: ClaimTable | null = null;
  /** Prefixes acknowledged since the last answer to `present`. */
  private acknowledged: Uint8Array[] = [];
  private underWay = 0;
  private unlisted = false;
  private quiet: (() => void)[] = [];
  private committing: Promise<unknown> = Promise.resolve();

  constructor(options: DestinationOptions) {
    this.options = options;
    this.known = loadKnownIds(options.cacheDir, options.owner);
  }

  /** Opens the session and asks what is there. */
  async open(): Promise<void> {
    await this.use(async () => {});
  }

  /** There is too much for the destination to list it: only what is asked for is known. */
  get mustAsk(): boolean {
    return this.unlisted;
  }

  /** 16-byte prefixes of what is present. */
  get prefixes(): Buffer {
    return this.known.prefixes;
  }

  /** From now on what vanishes is dropped from this table. */
  watch(table: ClaimTable): void {
    this.table = table;
  }

  /** `ids`: n * 32 bytes of the chunks in it. */
  async putPack(pack: PackUpload, ids: Uint8Array): Promise<'stored' | 'exists'> {
    await this.committing;
    this.underWay++;
    try {
      const result = await this.use((session) => session.putPack(pack.id, pack.bytes, this.options.signal));
      this.noteAcknowledged(ids);
      return result;
    } finally {
      this.underWay--;
      if (this.underWay === 0) for (const resolve of this.quiet.splice(0)) resolve();
    }
  }

  /** Ends the session, once no pack is under way. */
  commit(object: Uint8Array, pack?: PackUpload, ids?: Uint8Array): Promise<CommitResult> {
    const done = this.committing.then(async () => {
      if (this.underWay > 0) await new Promise<void>((resolve) => this.quiet.push(resolve));
      const result = await this.use((session) => session.commit(object, this.options.signal, pack));
      this.session = null;
      if (ids) this.noteAcknowledged(ids);
      return result;
    });
    // Whoever commits hears of a failure; the next one only waits for its end
    this.committing = done.catch(() => {});
    return done;
  }

  /** Any other question, repeated like the rest. */
  use<T>(ask: (session: ArchiveSession) => Promise<T>): Promise<T> {
    return this.patiently(async () => {
      for (let left = 3; ; left--) {
        const used = this.current();
        try {
          return await ask(await used);
        } catch (error) {
          if (!(error instanceof ArchiveError) || error.code !== 'session_ended' || left === 0) throw error;
          if (this.session === used) this.session = null;
        }
      }
    });
  }

  /** Repeats a call while the destination does not answer. */
  async patiently<T>(call: () => Promise<T>): Promise<T> {
    const { signal, onEvent, patienceMs = PATIENCE } = this.options;
    let waited = 0;
    for (let wait = FIRST_WAIT; ; wait = Math.min(wait * 2, LONGEST_WAIT)) {
      signal.throwIfAborted();
      try {
        const answer = await call();
        if (waited > 0) onEvent({ kind: 'waiting', why: null, ms: 0 });
        return answer;
      } catch (error) {
        if (!(error instanceof ArchiveError) || !error.retryable || waited >= patienceMs) throw error;
        onEvent({ kind: 'waiting', why: error.code, ms: wait });
        await sleep(wait, signal);
        waited += wait;
      }
    }
  }

  /** What the destination said it lacks. */
  drop(ids: readonly Uint8Array[]): void {
    for (const id of ids) this.table?.drop(id);
  }

  save(): void {
    saveKnownIds(this.options.cacheDir, this.options.owner, this.known);
  }

  async close(): Promise<void> {
    const { session } = this;
    this.session = null;
    // The outcome of the run is decided; a session that cannot be closed ends by itself.
    if (session) await session.then((open) => open.close()).catch(() => {});
  }

  private current(): Promise<ArchiveSession> {
    if (this.session) return this.session;
    const opening = this.openSession();
    this.session = opening;
    opening.catch(() => {
      if (this.session === opening) this.session = null;
    });
    return opening;
  }

  private async openSession(): Promise<ArchiveSession> {
    const { endpoint, signal, onEvent } = this.options;
    const session = await endpoint.openSession('backup', signal);
    const before = this.known;
    const answer = await session.present(before.cursor, signal);
    this.known = applyPresent(before, answer);
    this.unlisted = answer.full && answer.prefixes.length === 0 && answer.total > 0;
    // Without a list nothing can be doubted here: a tree that links what went away is refused.
    if (this.table && !this.unlisted)
      this.reconcile(this.table, before, answer.full ? null : Buffer.from(answer.removed));
    onEvent({ kind: 'session', epoch: session.epoch, renewed: this.table !== null });
    return session;
  }

  /** Drops what was there in the session before and is not in this one. `removed` is `null` after a full answer. */
  private reconcile(table: ClaimTable, before: KnownIds, removed: Buffer | null): void {
    const here = new Set(eachPrefix(this.known.prefixes));
    const doubted = [...this.acknowledged, removed ?? before.prefixes];
    for (const prefixes of doubted) {
      for (let at = 0; at < prefixes.length; at += PREFIX_LENGTH) {
        if (!here.has(prefixAt(prefixes, at))) table.drop(prefixes, at);
      }
    }
    for (let at = 0; at < this.known.prefixes.length; at += PREFIX_LENGTH) table.addKnown(this.known.prefixes, at);
    this.acknowledged = [];
  }

  private noteAcknowledged(ids: Uint8Array): void {
    const prefixes = new Uint8Array((ids.length / 32) * PREFIX_LENGTH);
    for (let i = 0; i < ids.length / 32; i++)
      prefixes.set(ids.subarray(i * 32, i * 32 + PREFIX_LENGTH), i * PREFIX_LENGTH);
    this.acknowledged.push(prefixes);
  }
}

const prefixAt = (bytes: Uint8Array, at: number): string =>
  Buffer.from(bytes.buffer, bytes.byteOffset + at, PREFIX_LENGTH).toString('latin1');

function* eachPrefix(bytes: Uint8Array): Iterable<string> {
  for (let at = 0; at < bytes.length; at += PREFIX_LENGTH) yield prefixAt(bytes, at);
}

function sleep(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const stop = () => {
      clearTimeout(timer);
      reject(signal.reason);
    };
    const timer = setTimeout(() => {
      signal.removeEventListener('abort', stop);
      resolve();
    }, ms);
    signal.addEventListener('abort', stop, { once: true });
  });
}
