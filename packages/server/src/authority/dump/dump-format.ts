/**
 * The inside of a dump: JSON lines, the same whether the database is SQLite or PostgreSQL, readable with
 * `age -d -i KEY dump | zstd -d`.
 *
 * | line | what |
 * |---|---|
 * | `{"dump": 1, "serverId", "made", "version", "steps"}` | first; `steps` are the migrations that made the tables |
 * | `{"table": name, "columns": [...]}` | begins a table |
 * | `[...]` | a row of that table, in the order of its columns; bytes as `{"bytes": base64}` |
 * | `{"file": name, "content": base64}` | a file of the keystore |
 * | `{"end": {"lines", "sha256"}}` | last; the hash is over every line before it, newlines included |
 */

import { createHash, type Hash } from 'node:crypto';
import { id16, ms } from '@holdfast/protocol/schemas.ts';
import { z } from 'zod';
import { ServerError } from '../../errors.ts';

const header = z.object({
  dump: z.literal(1),
  serverId: id16,
  made: ms,
  version: z.string(),
  steps: z.array(z.string()).min(1),
});
export type DumpHeader = z.infer<typeof header>;

export type Cell = string | number | null | Uint8Array;

export type DumpItem =
  | { readonly kind: 'header'; readonly header: DumpHeader }
  | { readonly kind: 'table'; readonly table: string; readonly columns: readonly string[] }
  | { readonly kind: 'row'; readonly cells: readonly Cell[] }
  | { readonly kind: 'file'; readonly name: string; readonly content: Uint8Array };

const encodeCell = (cell: Cell): unknown =>
  cell instanceof Uint8Array ? { bytes: Buffer.from(cell).toString('base64') } : cell;

function encodeItem(item: DumpItem): string {
  switch (item.kind) {
    case 'header':
      return JSON.stringify(item.header);
    case 'table':
      return JSON.stringify({ table: item.table, columns: item.columns });
    case 'row':
      return JSON.stringify(item.cells.map(encodeCell));
    case 'file':
      return JSON.stringify({ file: item.name, content: Buffer.from(item.content).toString('base64') });
    default:
      return item satisfies never;
  }
}

/** Sums up the lines on either side. */
class Tally {
  #lines = 0;
  readonly #hash: Hash = createHash('sha256');

  add(line: string): void {
    this.#lines += 1;
    this.#hash.update(line).update('\n');
  }

  end(): { lines: number; sha256: string } {
    return { lines: this.#lines, sha256: this.#hash.digest('hex') };
  }
}

export async function* encodeDump(items: AsyncIterable<DumpItem>): AsyncGenerator<string> {
  const tally = new Tally();
  for await (const item of items) {
    const line = encodeItem(item);
    tally.add(line);
    yield `${line}\n`;
  }
  yield `${JSON.stringify({ end: tally.end() })}\n`;
}

const cell = z.union([
  z.string(),
  z.number(),
  z.null(),
  z.object({ bytes: z.base64() }).transform(({ bytes }) => new Uint8Array(Buffer.from(bytes, 'base64'))),
]);
const row = z.array(cell);
const named = z.union([
  z.object({ table: z.string(), columns: z.array(z.string()).min(1) }),
  z.object({ file: z.string().regex(/^[a-z0-9][a-z0-9.-]*$/), content: z.base64() }),
]);
const last = z.object({ end: z.object({ lines: z.int(), sha256: z.string() }) });

function decodeItem(value: unknown, first: boolean): DumpItem {
  if (first) return { kind: 'header', header: header.parse(value) };
  if (Array.isArray(value)) return { kind: 'row', cells: row.parse(value) };
  const item = named.parse(value);
  if ('table' in item) return { kind: 'table', table: item.table, columns: item.columns };
  return { kind: 'file', name: item.file, content: new Uint8Array(Buffer.from(item.content, 'base64')) };
}

/**
 * A row is no larger than a request that made it. Anybody can seal a dump to a public key, so a line that goes on and on must
 * not fill the memory.
 */
export const MAX_LINE: number = 64 * 1024 * 1024;

/** Only `\n` ends a line: the other ends that `node:readline` knows may stand in a text. */
async function* linesOf(bytes: AsyncIterable<Uint8Array>): AsyncGenerator<string> {
  const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
  let held: string[] = [];
  let length = 0;
  for await (const chunk of bytes) {
    const lines = textOf(decoder, chunk).split('\n');
    const last = lines.pop() ?? '';
    for (const line of lines) {
      yield held.length === 0 ? line : held.join('') + line;
      held = [];
      length = 0;
    }
    length += last.length;
    if (length > MAX_LINE) throw new ServerError('dump_damaged', { message: 'A line of the dump does not end.' });
    if (last !== '') held.push(last);
  }
  const rest = held.join('') + textOf(decoder);
  if (rest !== '') yield rest;
}

function textOf(decoder: TextDecoder, chunk?: Uint8Array): string {
  try {
    return decoder.decode(chunk, { stream: chunk !== undefined });
  } catch (cause) {
    throw new ServerError('dump_damaged', { cause });
  }
}

/** Rejects with `dump_damaged` at the first wrong line, and at the end when the end is missing or does not fit. */
export async function* decodeDump(bytes: AsyncIterable<Uint8Array>): AsyncGenerator<DumpItem> {
  const tally = new Tally();
  let first = true;
  let ended = false;
  for await (const line of linesOf(bytes)) {
    if (ended) throw new ServerError('dump_damaged', { message: 'Something follows the end of the dump.' });
    const value = parse(line);
    const end = first ? null : last.safeParse(value);
    if (end?.success) {
      const { lines: count, sha256 } = tally.end();
      if (end.data.end.lines !== count || end.data.end.sha256 !== sha256) throw new ServerError('dump_damaged');
      ended = true;
      continue;
    }
    tally.add(line);
    yield decode(value, first);
    first = false;
  }
  if (!ended) throw new ServerError('dump_damaged', { message: 'The dump is cut off.' });
}

function parse(line: string): unknown {
  try {
    return JSON.parse(line);
  } catch (cause) {
    throw new ServerError('dump_damaged', { cause });
  }
}

function decode(value: unknown, first: boolean): DumpItem {
  try {
    return decodeItem(value, first);
  } catch (cause) {
    throw new ServerError('dump_damaged', { cause });
  }
}
