import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { ArchiveError } from '../errors.ts';
import { writeU32 } from './bytes.ts';
import { encodePackHeader, PACK_MAX, PackWriter, readPackTable } from './pack.ts';
import { PackStream } from './pack-stream.ts';
import { mutated } from './testing/arbitrary.ts';
import { frameOf, newHash, sha256, smallEntries } from './testing/frames.ts';
import { GOLDEN, golden, goldenValue } from './testing/golden.ts';

const ARCHIVE = new Uint8Array(16).fill(0xaa);

const pack = (): fc.Arbitrary<Uint8Array> =>
  smallEntries().map((entries) => {
    const writer = new PackWriter(ARCHIVE, newHash, 0);
    for (const entry of entries) writer.add(frameOf(entry));
    return writer.finish();
  });

function* pieces(bytes: Uint8Array, sizes: readonly number[]): Generator<Uint8Array> {
  for (let at = 0, i = 0; at < bytes.length; i++) {
    const size = sizes[i % sizes.length] as number;
    yield bytes.subarray(at, at + size);
    at += size;
  }
}

const sizes = (): fc.Arbitrary<number[]> => fc.array(fc.integer({ min: 1, max: 200 }), { minLength: 1, maxLength: 6 });

describe('pack stream', () => {
  it('gives frames and pack id of the golden pack', () => {
    const bytes = golden('pack.pack');
    const stream = new PackStream(GOLDEN.archiveId, newHash);
    stream.push(bytes);
    const { packId, frames } = stream.end();
    assert.deepEqual(new Uint8Array(packId), goldenValue<{ packId: Uint8Array }>('pack.pack').packId);
    assert.deepEqual(frames, readPackTable(bytes, GOLDEN.archiveId, newHash));
  });

  it('takes any good pack however its bytes are cut, and tells each frame once, when it is complete', () => {
    fc.assert(
      fc.property(pack(), sizes(), (bytes, cuts) => {
        const stream = new PackStream(null, newHash);
        const told = [];
        for (const piece of pieces(bytes, cuts)) {
          const complete = stream.push(piece);
          for (const { offset, length } of complete) assert.ok(offset + length <= stream.size);
          told.push(...complete);
        }
        const { packId, frames } = stream.end();
        assert.deepEqual(packId, sha256(bytes));
        assert.deepEqual(told, frames);
        assert.deepEqual(frames, readPackTable(bytes, ARCHIVE, newHash));
      }),
    );
  });

  it('agrees with reading the pack whole, and is stricter where a table is damaged', () => {
    const changed = pack().chain((bytes) => fc.tuple(mutated(bytes), sizes()));
    fc.assert(
      fc.property(changed, ([bytes, cuts]) => {
        const stream = new PackStream(ARCHIVE, newHash);
        let frames: unknown;
        try {
          for (const piece of pieces(bytes, cuts)) stream.push(piece);
          frames = stream.end().frames;
        } catch (error) {
          assert.ok(error instanceof ArchiveError, `${error}`);
          return;
        }
        assert.deepEqual(frames, readPackTable(bytes, ARCHIVE, newHash));
      }),
      { numRuns: 1000 },
    );
  });

  it('refuses every beginning of a pack as too short', () => {
    const bytes = golden('pack.pack');
    for (let end = 0; end < bytes.length; end += 7) {
      const stream = new PackStream(null, newHash);
      stream.push(bytes.subarray(0, end));
      assert.throws(() => stream.end(), { code: 'format_invalid' });
    }
  });

  it('refuses bytes behind the trailer', () => {
    const stream = new PackStream(null, newHash);
    stream.push(golden('pack.pack'));
    assert.throws(() => stream.push(new Uint8Array(1)), { code: 'format_invalid' });
  });

  const begun = (): PackStream => {
    const stream = new PackStream(ARCHIVE, newHash);
    stream.push(encodePackHeader(ARCHIVE));
    return stream;
  };
  const head = (change: (head: Uint8Array) => void): Uint8Array => {
    const bytes = new Uint8Array(44);
    bytes.set([1, 4, 0, 1]);
    writeU32(bytes, 36, 100);
    change(bytes);
    return bytes;
  };

  for (const [what, bytes] of [
    ['a stored length beyond the largest', head((h) => writeU32(h, 36, 0xffffffff))],
    ['more links than allowed', head((h) => writeU32(h, 40, 0xffffffff))],
    ['a kind that does not exist', head((h) => h.fill(99, 1, 2))],
  ] as const) {
    it(`refuses ${what} with the last byte that says it, before any of the rest comes`, () => {
      const stream = begun();
      stream.push(bytes.subarray(0, 43));
      assert.throws(() => stream.push(bytes.subarray(43)), { code: 'format_invalid' });
    });
  }

  it('refuses a frame that cannot fit before its bytes come', () => {
    const stream = begun();
    const frame = head((h) => writeU32(h, 36, 8_650_780));
    const body = new Uint8Array(8_650_780);
    for (let i = 0; i < 3; i++) {
      stream.push(frame);
      stream.push(body);
    }
    assert.ok(stream.size < PACK_MAX);
    assert.throws(() => stream.push(frame), { code: 'format_invalid' });
  });

  it('refuses another archive and a later version at the header', () => {
    const stream = (bytes: Uint8Array) => () => new PackStream(ARCHIVE, newHash).push(bytes);
    assert.throws(stream(encodePackHeader(new Uint8Array(16))), { code: 'wrong_archive' });
    assert.throws(stream(encodePackHeader(ARCHIVE).with(11, 2)), { code: 'unknown_version' });
  });
});
