import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { encode } from './cbor.ts';
import { decodeList, encodeList, type ListBody } from './list.ts';
import { listBody } from './testing/arbitrary.ts';
import { golden, goldenValue, plain } from './testing/golden.ts';

const ID = new Uint8Array(32);

describe('segment list (format §5.4)', () => {
  it('reads the golden leaf and index and writes them again', () => {
    const { segments } = goldenValue<{ segments: [Uint8Array, number, number][] }>('list-leaf.body');
    const leaf: ListBody = { segments: segments.map(([id, offset, length]) => ({ id, offset, length })) };
    for (const [file, expected] of [
      ['list-leaf', leaf],
      ['list-index', goldenValue<ListBody>('list-index.body')],
    ] as const) {
      const [links, body] = [golden(`${file}.links`), golden(`${file}.body`)];
      assert.deepEqual(plain(decodeList(links, body)), plain(expected));
      assert.deepEqual(encodeList(decodeList(links, body)), { links, body });
    }
  });

  it('gives any list back', () => {
    fc.assert(
      fc.property(listBody(), (list) => {
        const { links, body } = encodeList(list);
        assert.deepEqual(plain(decodeList(links, body)), plain(list));
      }),
    );
  });

  it('does not write empty lists, or children that do not ascend from 0', () => {
    const starts = (...numbers: number[]) => ({ children: numbers.map((start) => ({ start, id: ID })) });
    for (const list of [{}, { segments: [] }, starts(), starts(1), starts(0, 0), starts(0, 2, 1)])
      assert.throws(() => encodeList(list), { code: 'value_invalid' });
  });

  for (const [what, value, links] of [
    [
      'no segments',
      [
        [0, 1],
        [1, []],
      ],
      new Uint8Array(0),
    ],
    [
      'children that do not ascend',
      [
        [0, 1],
        [2, [0, 0, 0, 0]],
      ],
      ID,
    ],
    [
      'a link that is not there',
      [
        [0, 1],
        [1, [1, 0, 1]],
      ],
      ID,
    ],
    [
      'an empty segment',
      [
        [0, 1],
        [1, [0, 0, 0]],
      ],
      ID,
    ],
    ['a missing version', [[1, [0, 0, 1]]], ID],
    [
      'leaf and index at once',
      [
        [0, 1],
        [1, [0, 0, 1]],
        [2, [0, 0]],
      ],
      ID,
    ],
  ] as [string, [number, never][], Uint8Array][]) {
    it(`refuses ${what}`, () =>
      assert.throws(() => decodeList(links, encode(new Map(value))), { code: 'format_invalid' }));
  }
});
