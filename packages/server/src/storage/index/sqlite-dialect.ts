// Kysely on one SQLite connection in a thread of its own, so that a long query never holds up the event loop.

import type { SQLInputValue } from 'node:sqlite';
import { Worker } from 'node:worker_threads';
import {
  CompiledQuery,
  type DatabaseConnection,
  type Dialect,
  type Driver,
  type QueryResult,
  SqliteAdapter,
  SqliteIntrospector,
  SqliteQueryCompiler,
} from 'kysely';
import type { ThreadReply, ThreadRequest, ThreadStart } from './sqlite-thread.ts';

/** What SQLite answered instead of a result; `sqliteCode` is its extended result code. */
export class SqliteFailure extends Error {
  override readonly name = 'SqliteFailure';
  readonly sqliteCode: number | undefined;

  constructor(cause: Error, sqliteCode: number | undefined, sql: string) {
    super(`${cause.message} in: ${sql.slice(0, 200)}`, { cause });
    this.sqliteCode = sqliteCode;
  }
}

type Waiting = { readonly sql: string; resolve(reply: ThreadReply): void; reject(error: Error): void };

/** The caller's side of sqlite-thread.ts. */
class SqliteThread implements DatabaseConnection {
  private readonly worker: Worker;
  private readonly waiting = new Map<number, Waiting>();
  private nextId = 1;
  private ended: Error | null = null;

  constructor(start: ThreadStart) {
    this.worker = new Worker(new URL('./sqlite-thread.ts', import.meta.url), { workerData: start });
    this.worker.on('message', (reply: ThreadReply) => this.settle(reply));
    this.worker.on('error', (error) => this.fail(error as Error));
    this.worker.on('exit', () => this.fail(new Error('the thread of the index has ended')));
    this.worker.unref();
  }

  async executeQuery<R>({ sql, parameters }: CompiledQuery): Promise<QueryResult<R>> {
    const reply = await this.ask(sql, (id) => ({ id, sql, parameters: parameters.map(asInput) as SQLInputValue[] }));
    if ('error' in reply) throw new SqliteFailure(reply.error, reply.sqliteCode, sql);
    return { rows: reply.rows as R[], numAffectedRows: BigInt(reply.changes) };
  }

  // biome-ignore lint/correctness/useYield: Kysely asks for the method; the index pages instead of streaming.
  async *streamQuery(): AsyncIterableIterator<never> {
    throw new Error('the index pages through its tables');
  }

  async close(): Promise<void> {
    if (this.ended === null) await this.ask('close', (id) => ({ id, close: true }));
    this.worker.ref();
    await this.worker.terminate();
  }

  private ask(sql: string, request: (id: number) => ThreadRequest): Promise<ThreadReply> {
    if (this.ended !== null) return Promise.reject(this.ended);
    const id = this.nextId++;
    const { promise, resolve, reject } = Promise.withResolvers<ThreadReply>();
    this.waiting.set(id, { sql, resolve, reject });
    // A process may end between two queries, never within one.
    this.worker.ref();
    this.worker.postMessage(request(id));
    return promise;
  }

  private settle(reply: ThreadReply): void {
    this.waiting.get(reply.id)?.resolve(reply);
    this.waiting.delete(reply.id);
    if (this.waiting.size === 0) this.worker.unref();
  }

  private fail(error: Error): void {
    this.ended ??= error;
    for (const { reject } of this.waiting.values()) reject(this.ended);
    this.waiting.clear();
  }
}

/** A view of a large buffer would be copied to the thread with the whole buffer. */
const asInput = (value: unknown) =>
  value instanceof Uint8Array && value.byteLength < value.buffer.byteLength ? value.slice() : value;

/** Hands the one connection to one user after another, in the order they came. */
class SqliteThreadDriver implements Driver {
  private readonly start: ThreadStart;
  private thread: SqliteThread | null = null;
  private last: Promise<void> = Promise.resolve();
  private release: () => void = () => {};

  constructor(start: ThreadStart) {
    this.start = start;
  }

  async init(): Promise<void> {
    this.thread = new SqliteThread(this.start);
  }

  async acquireConnection(): Promise<DatabaseConnection> {
    const before = this.last;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.last = promise;
    await before;
    this.release = resolve;
    return this.thread as SqliteThread;
  }

  async releaseConnection(): Promise<void> {
    this.release();
  }

  /** Immediate: a transaction that began by reading could find at its first write that another process came first. */
  async beginTransaction(connection: DatabaseConnection): Promise<void> {
    await connection.executeQuery(CompiledQuery.raw('begin immediate'));
  }

  async commitTransaction(connection: DatabaseConnection): Promise<void> {
    await connection.executeQuery(CompiledQuery.raw('commit'));
  }

  async rollbackTransaction(connection: DatabaseConnection): Promise<void> {
    await connection.executeQuery(CompiledQuery.raw('rollback'));
  }

  async destroy(): Promise<void> {
    await this.thread?.close();
  }
}

/** A failed migration leaves nothing behind on SQLite either. */
class TransactionalAdapter extends SqliteAdapter {
  override get supportsTransactionalDdl(): boolean {
    return true;
  }
}

export const sqliteThreadDialect = (start: ThreadStart): Dialect => ({
  createAdapter: () => new TransactionalAdapter(),
  createDriver: () => new SqliteThreadDriver(start),
  createIntrospector: (db) => new SqliteIntrospector(db),
  createQueryCompiler: () => new SqliteQueryCompiler(),
});
