import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { writeU32 } from './bytes.ts';
import type { ChunkEntry } from './entry.ts';
import { KIND } from './kinds.ts';
import { PACK_MAX, PackWriter, readPackTable, readPackTail } from './pack.ts';
import { frameOf, newHash, sha256, smallEntries } from './testing/frames.ts';
import { GOLDEN, golden, goldenValue, plain } from './testing/golden.ts';

const ARCHIVE = new Uint8Array(16).fill(0xaa);

function packOf(entries: readonly ChunkEntry[], capacity?: number): Uint8Array {
  const writer = new PackWriter(ARCHIVE, newHash, capacity);
  for (const entry of entries) writer.add(frameOf(entry));
  return writer.finish();
}

const entry = (fill: number, storedLength = 40): ChunkEntry => ({
  kind: KIND.data,
  generation: 1,
  id: new Uint8Array(32).fill(fill),
  storedLength,
  links: new Uint8Array(0),
});

/** Table and trailer changed, and the hash made right again: what only a liar writes. */
function forge(pack: Uint8Array, change: (tail: Uint8Array) => void): Uint8Array {
  const forged = pack.slice();
  const tableLength = Buffer.from(forged).readUInt32BE(forged.length - 36);
  const tail = forged.subarray(forged.length - 40 - tableLength);
  change(tail);
  tail.set(sha256(tail.subarray(0, tail.length - 32)), tail.length - 32);
  return forged;
}

describe('pack (format §4)', () => {
  for (const name of ['pack.pack', 'pack-empty.pack']) {
    it(`reads the golden ${name} and writes it again`, () => {
      const pack = golden(name);
      const { packId, lengths } = goldenValue<{ packId: Uint8Array; lengths: number[] }>(name);
      const frames = readPackTable(pack, GOLDEN.archiveId, newHash);
      assert.deepEqual(
        frames.map((frame) => frame.length),
        lengths,
      );
      const writer = new PackWriter(GOLDEN.archiveId, newHash);
      for (const { offset, length } of frames) writer.add(pack.subarray(offset, offset + length));
      assert.equal(writer.size, pack.length);
      assert.deepEqual(writer.finish(), pack);
      assert.deepEqual(new Uint8Array(sha256(pack)), packId);
    });
  }

  it('gives every frame back with its place, from the whole pack and from its end alone', () => {
    fc.assert(
      fc.property(smallEntries(), fc.nat(1000), (entries, capacity) => {
        const pack = packOf(entries, capacity);
        const frames = readPackTable(pack, ARCHIVE, newHash);
        assert.deepEqual(plain(frames.map((frame) => frame.entry)), plain(entries));
        for (const { offset, length, entry } of frames)
          assert.deepEqual(Buffer.from(pack.subarray(offset, offset + length)), frameOf(entry));
        assert.deepEqual(readPackTail(pack, pack.length, newHash), frames);
      }),
    );
  });

  it('says how much of its end it needs', () => {
    const pack = packOf([entry(1), entry(2)]);
    assert.deepEqual(readPackTail(pack.subarray(-39), pack.length, newHash), { need: 40 });
    const need = 40 + 2 * (4 + 44);
    assert.deepEqual(readPackTail(pack.subarray(-40), pack.length, newHash), { need });
    assert.equal((readPackTail(pack.subarray(-need), pack.length, newHash) as unknown[]).length, 2);
  });

  it('is read by the entries of its frames when its table is damaged, wherever the damage is', () => {
    const pack = packOf([entry(1), entry(2), entry(3)]);
    const whole = readPackTable(pack, ARCHIVE, newHash);
    for (let at = pack.length - 40 - 3 * 48; at < pack.length; at++) {
      const damaged = pack.slice();
      damaged[at] = (damaged[at] as number) ^ 0x40;
      assert.deepEqual(readPackTable(damaged, ARCHIVE, newHash), whole, `byte ${at}`);
    }
    assert.deepEqual(readPackTable(pack.subarray(0, pack.length - 200), ARCHIVE, newHash).length, 2);
  });

  const lies: [string, (tail: Uint8Array) => void][] = [
    ['a frame at another offset', (tail) => writeU32(tail, 48, 113)],
    ['another id than the frame', (tail) => tail.fill(9, 8, 40)],
    ['another length of a frame', (tail) => writeU32(tail, 40, 41)],
    ['a frame too many', (tail) => writeU32(tail, 96, 3)],
    ['a frame too few', (tail) => writeU32(tail, 96, 1)],
  ];
  for (const [what, change] of lies) {
    it(`is refused when its table tells ${what}`, () => {
      const forged = forge(packOf([entry(1), entry(2)]), change);
      assert.throws(() => readPackTable(forged, ARCHIVE, newHash), { code: 'pack_invalid' });
    });
  }

  it('is refused when the entry in front of a frame is not the one in the table', () => {
    const pack = packOf([entry(1)]);
    pack[40] = 7;
    assert.throws(() => readPackTable(pack, ARCHIVE, newHash), { code: 'pack_invalid' });
  });

  it('is refused when it is of another archive, a later version, no pack, or too large', () => {
    const pack = packOf([entry(1)]);
    assert.throws(() => readPackTable(pack, new Uint8Array(16), newHash), { code: 'wrong_archive' });
    assert.equal(readPackTable(pack, null, newHash).length, 1);
    assert.throws(() => readPackTable(pack.with(11, 2), ARCHIVE, newHash), { code: 'unknown_version' });
    assert.throws(() => readPackTable(pack.with(0, 0), ARCHIVE, newHash), { code: 'format_invalid' });
    assert.throws(() => readPackTable(new Uint8Array(PACK_MAX + 1), ARCHIVE, newHash), { code: 'format_invalid' });
  });
});

describe('pack writer', () => {
  it('refuses what would take the pack over its largest size, and stays usable', () => {
    const writer = new PackWriter(ARCHIVE, newHash);
    const large = frameOf(entry(1, 8_650_780));
    for (let i = 0; i < 3; i++) writer.add(large);
    assert.equal(writer.fits(large), false);
    assert.throws(() => writer.add(large), { code: 'value_invalid' });
    writer.add(frameOf(entry(2)));
    const pack = writer.finish();
    assert.equal(pack.length, writer.size);
    assert.equal(readPackTable(pack, ARCHIVE, newHash).length, 4);
  });

  it('refuses a frame that is not as long as its entry says', () => {
    const writer = new PackWriter(ARCHIVE, newHash);
    assert.throws(() => writer.add(frameOf(entry(1)).subarray(0, -1)), { code: 'value_invalid' });
    assert.equal(writer.count, 0);
  });
});
