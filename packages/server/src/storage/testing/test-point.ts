// A store point for tests: in memory, or over what the test brings, with a clock and a key of its own.

import { createHash, createPublicKey, generateKeyPairSync, type KeyObject, randomBytes, sign } from 'node:crypto';
import { DatabaseSync, type SQLInputValue } from 'node:sqlite';
import type { BlobStore } from '@holdfast/archive/store/blob-store.ts';
import { MemoryStore } from '@holdfast/archive/store/memory.ts';
import { Kysely, SqliteDialect, type SqliteStatement } from 'kysely';
import { pino } from 'pino';
import { type Archive, ensureArchive } from '../index/archives.ts';
import { type Index, indexOver } from '../index/open-index.ts';
import type { IndexTables } from '../index/tables.ts';
import type { CounterName, Metrics } from '../metrics.ts';
import type { Ports, ReceiptSigner, StorePoint } from '../store-point.ts';

export type Keys = { readonly privateKey: KeyObject; readonly publicKey: Uint8Array };

export function newKeys(): Keys {
  const { privateKey } = generateKeyPairSync('ed25519');
  const { x = '' } = createPublicKey(privateKey).export({ format: 'jwk' });
  return { privateKey, publicKey: new Uint8Array(Buffer.from(x, 'base64url')) };
}

const serverKeys = newKeys();

export const receipts: ReceiptSigner = {
  serverId: new Uint8Array(16).fill(1),
  publicKey: serverKeys.publicKey,
  sign: (message) => sign(null, message, serverKeys.privateKey),
};

export type MemoryIndex = Index & { /** All of it, for another one to begin with. */ readonly bytes: () => Uint8Array };

/** An index in memory and in this thread, with statements kept prepared: fast enough for hundreds of runs. */
export async function memoryIndex(from?: Uint8Array): Promise<MemoryIndex> {
  const database = new DatabaseSync(':memory:');
  if (from !== undefined) database.deserialize(from);
  const statements = new Map<string, SqliteStatement>();
  const prepare = (text: string): SqliteStatement => {
    const known = statements.get(text);
    if (known !== undefined) return known;
    const statement = database.prepare(text);
    const made: SqliteStatement = {
      reader: statement.columns().length > 0,
      all: (parameters) => statement.all(...(parameters as SQLInputValue[])),
      run: (parameters) => statement.run(...(parameters as SQLInputValue[])),
      iterate: (parameters) => statement.iterate(...(parameters as SQLInputValue[])),
    };
    statements.set(text, made);
    return made;
  };
  const kysely = new Kysely<IndexTables>({
    dialect: new SqliteDialect({ database: { prepare, close: () => database.close() } }),
  });
  const config = { kind: 'sqlite', file: ':memory:' } as const;
  const index = await indexOver({ kind: 'sqlite', config, kysely, close: () => kysely.destroy() });
  return { ...index, bytes: () => database.serialize() };
}

export class CountingMetrics implements Metrics {
  readonly counts: Partial<Record<CounterName, number>> = {};

  add(counter: CounterName, amount = 1): void {
    this.counts[counter] = (this.counts[counter] ?? 0) + amount;
  }
}

export type Clock = { now: number };

export const testPorts = (clock: Clock): Ports & { metrics: CountingMetrics } => ({
  now: () => clock.now,
  random: (bytes) => randomBytes(bytes),
  log: pino({ level: 'silent' }),
  metrics: new CountingMetrics(),
  receipts,
});

export type TestPoint = StorePoint & {
  readonly clock: Clock;
  readonly metrics: CountingMetrics;
  /** Archives in which something was found lost. */
  readonly losses: Archive[];
};

export const HOUR = 3_600_000;
export const DAY: number = 24 * HOUR;
/** Any moment; tests move it. */
export const START_OF_TIME: number = Date.UTC(2026, 0, 5);

export async function testPoint(
  given: { readonly index?: Index; readonly blobs?: BlobStore; readonly clock?: Clock } = {},
): Promise<TestPoint> {
  const clock = given.clock ?? { now: START_OF_TIME };
  const losses: Archive[] = [];
  return {
    ...testPorts(clock),
    name: 'test',
    blobs: given.blobs ?? new MemoryStore({ now: () => clock.now }),
    index: given.index ?? (await memoryIndex()),
    checkThreads: 0,
    lossFound: (archive) => void losses.push(archive),
    clock,
    losses,
  };
}

export const testArchive = (point: StorePoint, n = 1): Promise<Archive> =>
  point.index.write((on) => ensureArchive(on, new Uint8Array(16).fill(n)));

export const sha256 = (bytes: Uint8Array): Uint8Array => new Uint8Array(createHash('sha256').update(bytes).digest());
