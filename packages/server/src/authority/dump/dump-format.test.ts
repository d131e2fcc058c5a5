import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { refusedWith } from '../../testing/refused.ts';
import { type Cell, type DumpItem, decodeDump, encodeDump, MAX_LINE } from './dump-format.ts';

const header: DumpItem = {
  kind: 'header',
  header: { dump: 1, serverId: '0'.repeat(32), made: 1, version: '4.1.5', steps: ['0001_foundation'] },
};
const cell: fc.Arbitrary<Cell> = fc.oneof(
  fc.string({ unit: 'binary' }),
  fc.maxSafeInteger(),
  fc.constant(null),
  fc.uint8Array(),
);
const PLAIN = { noNullPrototype: true } as const;
const item: fc.Arbitrary<DumpItem> = fc.oneof(
  fc.record({ kind: fc.constant('row' as const), cells: fc.array(cell) }, PLAIN),
  fc.record(
    {
      kind: fc.constant('table' as const),
      table: fc.string(),
      columns: fc.array(fc.string(), { minLength: 1 }),
    },
    PLAIN,
  ),
  fc.record(
    {
      kind: fc.constant('file' as const),
      name: fc.constantFrom('ca.key', 'tls.pem'),
      content: fc.uint8Array(),
    },
    PLAIN,
  ),
);

async function* each<T>(values: readonly T[]): AsyncGenerator<T> {
  yield* values;
}
const linesOf = async (items: readonly DumpItem[]) => {
  const lines: string[] = [];
  for await (const line of encodeDump(each(items))) lines.push(line.replace(/\n$/, ''));
  return lines;
};
const decoded = async (lines: readonly string[]) => {
  const items: DumpItem[] = [];
  for await (const i of decodeDump(each(lines.map((line) => Buffer.from(`${line}\n`))))) items.push(i);
  return items;
};

test('a dump reads back as it was written', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(item), async (items) => {
      const all = [header, ...items];
      const lines = await linesOf(all);
      assert.ok(lines.every((line) => !line.includes('\n')));
      assert.deepEqual(await decoded(lines), all);
    }),
  );
});

test('a dump with a line missing, repeated or changed is refused', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(item, { minLength: 1 }), fc.nat(), fc.nat(2), async (items, at, how) => {
      const lines = await linesOf([header, ...items]);
      // A space more leaves the meaning of the last line as it is
      const i = at % (how === 2 ? lines.length - 1 : lines.length);
      const line = lines[i] ?? '';
      const damaged = [
        lines.toSpliced(i, 1),
        lines.toSpliced(i, 0, line),
        lines.toSpliced(
          i,
          1,
          line.replace(/.$/, (c) => (c === ' ' ? '' : `${c} `)),
        ),
      ][how];
      await assert.rejects(decoded(damaged ?? []), refusedWith('dump_damaged'));
    }),
  );
});

test('a dump keeps the characters that some programs take for the end of a line', async () => {
  const row: DumpItem = { kind: 'row', cells: ['ada\u2028s\u2029 laptop\r\n\u0085'] };
  const table: DumpItem = { kind: 'table', table: 'devices', columns: ['name'] };
  assert.deepEqual(await decoded(await linesOf([header, table, row])), [header, table, row]);
});

test('a line that does not end is refused before it fills the memory', async () => {
  let given = 0;
  async function* endless(): AsyncGenerator<Uint8Array> {
    for (;;) {
      given += 1;
      yield Buffer.alloc(1024 * 1024, '[');
    }
  }
  await assert.rejects(Array.fromAsync(decodeDump(endless())), refusedWith('dump_damaged'));
  assert.ok(given * 1024 * 1024 <= MAX_LINE + 2 * 1024 * 1024);
});
