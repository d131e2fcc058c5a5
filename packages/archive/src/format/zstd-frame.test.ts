import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { constants, zstdCompressSync } from 'node:zlib';
import fc from 'fast-check';
import { ArchiveError } from '../errors.ts';
import { mutated } from './testing/arbitrary.ts';
import { zstdFrameLength } from './zstd-frame.ts';

/** Bytes that compress into blocks of every type. */
const compressible = (): fc.Arbitrary<Uint8Array> =>
  fc
    .array(
      fc.oneof(
        fc.tuple(fc.nat(255), fc.nat(200_000)).map(([byte, count]) => new Uint8Array(count).fill(byte)),
        fc.uint8Array({ maxLength: 300 }),
        fc
          .uint8Array({ minLength: 5, maxLength: 50 })
          .map((word) => Buffer.concat(Array.from({ length: 400 }, () => word))),
      ),
      { maxLength: 4 },
    )
    .map((parts) => new Uint8Array(Buffer.concat(parts)));

const compress = (plain: Uint8Array, checksum: boolean): Uint8Array =>
  zstdCompressSync(plain, {
    params: { [constants.ZSTD_c_compressionLevel]: 1, [constants.ZSTD_c_checksumFlag]: checksum ? 1 : 0 },
  });

describe('length of a zstd frame', () => {
  it('is found in front of any bytes that follow, with and without a checksum', () => {
    fc.assert(
      fc.property(compressible(), fc.boolean(), fc.uint8Array({ maxLength: 40 }), (plain, checksum, behind) => {
        const frame = compress(plain, checksum);
        assert.equal(zstdFrameLength(Buffer.concat([frame, behind]), plain.length), frame.length);
      }),
    );
  });

  it('is refused when the frame is cut, or announces another length', () => {
    const plain = Buffer.alloc(3000, 'golden ');
    const frame = compress(plain, true);
    for (let end = 0; end < frame.length; end++)
      assert.throws(() => zstdFrameLength(frame.subarray(0, end), plain.length), { code: 'format_invalid' });
    assert.throws(() => zstdFrameLength(frame, plain.length - 1), { code: 'format_invalid' });
  });

  const raw = (descriptor: number, ...rest: number[]) =>
    Uint8Array.of(0x28, 0xb5, 0x2f, 0xfd, descriptor, ...rest, 0, 0, 0, 0);
  for (const [what, frame] of [
    ['a dictionary', raw(0x21, 7, 1, 1, 0, 0)],
    ['a reserved bit', raw(0x28, 1, 1, 0, 0)],
    ['a window over 8 MiB', raw(0x00, 0x70, 1, 0, 0)],
    ['a reserved block type', raw(0x20, 0, 7, 0, 0)],
    ['a block over 128 KiB', raw(0x20, 0, 0x01, 0x01, 0x10)],
    ['more repeated bytes than announced', raw(0x20, 5, 0x33, 0, 0)],
    ['a skippable frame', Uint8Array.of(0x50, 0x2a, 0x4d, 0x18, 1, 0, 0, 0, 0)],
  ] as const) {
    it(`is refused with ${what}`, () => assert.throws(() => zstdFrameLength(frame, 5), { code: 'format_invalid' }));
  }

  it('is a length within the bytes or an ArchiveError, for any bytes', () => {
    const frame = compress(Buffer.alloc(3000, 'golden '), false);
    fc.assert(
      fc.property(fc.oneof(mutated(frame), fc.uint8Array()), (bytes) => {
        try {
          const length = zstdFrameLength(bytes, 3000);
          assert.ok(length > 0 && length <= bytes.length);
        } catch (error) {
          assert.ok(error instanceof ArchiveError, `${error}`);
        }
      }),
      { numRuns: 3000 },
    );
  });
});
