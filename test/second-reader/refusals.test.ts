import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { encode } from '@holdfast/archive/format/cbor.ts';
import { decodeCbor, type Value } from './cbor.ts';
import { goldenBytes } from './golden.ts';
import { parseKeyFileBody } from './keys.ts';
import { parseListBody } from './list.ts';
import { parseTreeBody } from './tree.ts';

const LINK = Buffer.alloc(32, 7);

/** A directory with one file. */
function directory(file: [number, Value][]): { kind: 4; links: Buffer[]; body: Buffer } {
  const common: [number, Value][] = [
    [0, Buffer.from('f')],
    [1, 0],
    [2, 0o644],
    [3, 0],
    [4, 0],
    [5, [0, 0]],
  ];
  const entry = new Map([...common, ...file]);
  const body = encode(
    new Map<number, unknown>([
      [0, 1],
      [1, [entry]],
    ]) as never,
  );
  return { kind: 4, links: [LINK], body: Buffer.from(body) };
}

const segments = (...flat: number[]): ReturnType<typeof directory> =>
  directory([
    [6, flat.reduce((sum, n, i) => (i % 3 === 2 ? sum + n : sum), 0)],
    [7, flat],
  ]);

describe('what the second reader refuses', () => {
  it('segments that are empty, or end behind the longest chunk', () => {
    parseTreeBody(segments(0, 0, 5, 0, 9, 1), 'tree');
    for (const wrong of [segments(0, 0, 5, 0, 9, 0), segments(0, 8_388_608, 1)])
      assert.throws(() => parseTreeBody(wrong, 'tree'), { reason: 'malformed' });
    const list = encode(
      new Map<number, unknown>([
        [0, 1],
        [1, [0, 0, 1, 0, 3, 0]],
      ]) as never,
    );
    assert.throws(() => parseListBody({ links: [LINK], body: Buffer.from(list) }), { reason: 'malformed' });
  });

  it('extents that are empty', () => {
    const sparse = (...extents: number[]) =>
      directory([
        [6, 100],
        [7, [0, 0, 5]],
        [13, extents],
      ]);
    parseTreeBody(sparse(0, 2, 50, 3), 'tree');
    assert.throws(() => parseTreeBody(sparse(0, 5, 50, 0), 'tree'), { reason: 'malformed' });
  });

  it('parameters that no chunker could follow', () => {
    const golden = decodeCbor(goldenBytes('key-file-1.body')) as Map<number, Value>;
    const withParams = (params: number[]) => Buffer.from(encode(new Map([...golden, [7, params]]) as never));
    parseKeyFileBody(withParams([1, 1, 8_388_608, 31, 1]));
    for (const params of [
      [0, 1, 2, 9, 9],
      [3, 2, 4, 9, 9],
      [1, 2, 8_388_609, 9, 9],
      [1, 2, 3, 32, 9],
      [1, 2, 3, 8, 9],
      [1, 2, 3, 9, 0],
    ])
      assert.throws(() => parseKeyFileBody(withParams(params)), { reason: 'malformed' }, params.join());
  });
});
