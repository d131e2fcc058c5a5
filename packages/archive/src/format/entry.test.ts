import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { type ChunkEntry, decodeEntry, encodeEntry, entryLength } from './entry.ts';
import { KIND } from './kinds.ts';
import { chunkEntry } from './testing/arbitrary.ts';
import { golden, goldenNames, goldenValue, plain } from './testing/golden.ts';

const ENTRY: ChunkEntry = {
  kind: KIND.tree,
  generation: 1,
  id: new Uint8Array(32),
  storedLength: 100,
  links: new Uint8Array(64).fill(1, 32),
};

const changed = (at: number, ...bytes: number[]): Uint8Array => {
  const encoded = encodeEntry(ENTRY);
  encoded.set(bytes, at);
  return encoded;
};

describe('entry (format §3.2)', () => {
  for (const name of goldenNames('.entry')) {
    it(`reads ${name} and writes it again`, () => {
      const bytes = golden(name);
      const { entry, length } = decodeEntry(bytes);
      const { kind, generation, id, links } = goldenValue<ChunkEntry>(name.replace('.entry', '.frame'));
      const storedLength = golden(name.replace('.entry', '.frame')).length - bytes.length;
      assert.deepEqual(plain(entry), plain({ kind, generation, id, storedLength, links }));
      assert.equal(length, bytes.length);
      assert.deepEqual(encodeEntry(entry), bytes);
    });
  }

  it('gives any entry back, wherever it stands', () => {
    fc.assert(
      fc.property(chunkEntry(), fc.nat(50), (entry, at) => {
        const bytes = encodeEntry(entry);
        const among = new Uint8Array(at + bytes.length + 9);
        among.set(bytes, at);
        assert.deepEqual(plain(decodeEntry(among, at)), plain({ entry, length: entryLength(entry.links.length / 32) }));
      }),
    );
  });

  it('refuses a version it does not know with a code that says to upgrade', () => {
    assert.throws(() => decodeEntry(changed(0, 2)), { code: 'unknown_version' });
  });

  for (const [what, bytes] of [
    ['kind 0', changed(1, 0)],
    ['kind file, which is never stored', changed(1, 2)],
    ['kind 10', changed(1, 10)],
    ['generation 0', changed(2, 0, 0)],
    ['a stored length of 32', changed(36, 0, 0, 0, 32)],
    ['a stored length over the largest', changed(36, 0, 0x84, 0, 29)],
    ['65,537 links', changed(40, 0, 1, 0, 1)],
    ['links of a data chunk', changed(1, KIND.data)],
    ['links that repeat', changed(44, ...new Uint8Array(32).fill(1))],
    ['links that descend', changed(44, 2)],
    ['links that run past the end', changed(40, 0, 0, 0, 3)],
  ] as const) {
    it(`refuses ${what}`, () => assert.throws(() => decodeEntry(bytes), { code: 'format_invalid' }));
  }

  it('takes the largest stored length and no more', () => {
    assert.equal(decodeEntry(changed(36, 0, 0x84, 0, 28)).entry.storedLength, 8_650_780);
  });

  it('refuses numbers before it looks for the links behind them', () => {
    assert.throws(() => decodeEntry(changed(36, 255, 255, 255, 255).subarray(0, 44)), /stored length/);
    assert.throws(() => decodeEntry(changed(40, 255, 255, 255, 255).subarray(0, 44)), /too many/);
  });

  it('does not write what it would not read', () => {
    for (const wrong of [
      { kind: KIND.file },
      { kind: KIND.data },
      { generation: 0 },
      { generation: 65_536 },
      { id: new Uint8Array(31) },
      { storedLength: 32 },
      { links: new Uint8Array(33) },
      { links: new Uint8Array(64) },
    ])
      assert.throws(() => encodeEntry({ ...ENTRY, ...wrong }), { code: 'value_invalid' });
  });
});
