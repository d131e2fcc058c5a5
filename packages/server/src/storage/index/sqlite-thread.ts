// The thread that owns one SQLite connection. It answers requests in their order; see sqlite-dialect.ts for the other side.

import { DatabaseSync, type SQLInputValue, type StatementSync } from 'node:sqlite';
import { parentPort, workerData } from 'node:worker_threads';

export type ThreadStart = { readonly file: string; readonly pragmas: readonly string[] };
export type ThreadRequest =
  | { readonly id: number; readonly sql: string; readonly parameters: readonly SQLInputValue[] }
  | { readonly id: number; readonly close: true };
export type ThreadReply =
  | { readonly id: number; readonly rows: readonly unknown[]; readonly changes: number }
  | { readonly id: number; readonly error: Error; readonly sqliteCode: number | undefined };

/** Kept prepared; the index has a few dozen texts, since lists travel as one parameter. */
const MAX_STATEMENTS = 256;

if (parentPort === null) throw new Error('sqlite-thread.ts runs in a worker thread');
const port = parentPort;
const { file, pragmas } = workerData as ThreadStart;
const database = new DatabaseSync(file, { timeout: 15_000 });
for (const pragma of pragmas) database.exec(`pragma ${pragma}`);
const statements = new Map<string, StatementSync>();

function prepare(text: string): StatementSync {
  let statement = statements.get(text);
  if (statement === undefined) {
    if (statements.size >= MAX_STATEMENTS) statements.clear();
    statement = database.prepare(text);
    statements.set(text, statement);
  }
  return statement;
}

function run(text: string, parameters: readonly SQLInputValue[]): { rows: readonly unknown[]; changes: number } {
  const statement = prepare(text);
  if (statement.columns().length > 0) return { rows: statement.all(...parameters), changes: 0 };
  return { rows: [], changes: Number(statement.run(...parameters).changes) };
}

port.on('message', (request: ThreadRequest) => {
  const { id } = request;
  try {
    if ('close' in request) database.close();
    const reply: ThreadReply =
      'close' in request ? { id, rows: [], changes: 0 } : { id, ...run(request.sql, request.parameters) };
    port.postMessage(reply);
    if ('close' in request) port.close();
  } catch (error) {
    const sqliteCode = (error as { errcode?: number }).errcode;
    const reply: ThreadReply = { id, error: error as Error, sqliteCode };
    port.postMessage(reply);
  }
});
