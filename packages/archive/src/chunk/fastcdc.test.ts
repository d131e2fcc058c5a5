import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { type Cut, createCut, cutAll } from './fastcdc.ts';

const GOLDEN = new URL('../../testdata/golden/', import.meta.url);
type Case = { name: string; length: number; params: [number, number, number, number, number]; pieces: number[] };
const { cases } = JSON.parse(readFileSync(new URL('fastcdc.json', GOLDEN), 'utf8')) as { cases: Case[] };

const paramsOf = ([min, normal, max, strictBits, looseBits]: Case['params']) => ({
  min,
  normal,
  max,
  strictBits,
  looseBits,
});

/** The gear of the golden keys, big-endian. */
function goldenGear(): Int32Array {
  const bytes = readFileSync(new URL('gear.bin', GOLDEN));
  return Int32Array.from({ length: 256 }, (_, i) => bytes.readInt32BE(4 * i));
}

function goldenInput({ name, length }: Case): Uint8Array {
  if (name.includes('zero')) return new Uint8Array(length);
  return createHash('shake256', { outputLength: length }).update(`holdfast golden ${name}`).digest();
}

/** format §3.3 read literally, one byte after the other. */
function cutSlowly(bytes: Uint8Array, gear: Int32Array, { min, normal, max, strictBits, looseBits }: Params): number[] {
  const lengths: number[] = [];
  let start = 0;
  let h = 0;
  for (let i = 0; i < bytes.length; i++) {
    const passed = i - start;
    if (passed >= min) {
      h = ((h << 1) + (gear[bytes[i] as number] as number)) >>> 0;
      const bits = passed < normal ? strictBits : looseBits;
      if (h >>> (32 - bits) !== 0 && passed + 1 < max) continue;
    } else if (passed + 1 < max) continue;
    lengths.push(passed + 1);
    start = i + 1;
    h = 0;
  }
  if (start < bytes.length) lengths.push(bytes.length - start);
  return lengths;
}

type Params = ReturnType<typeof paramsOf>;
const TINY: Params = { min: 16, normal: 64, max: 200, strictBits: 7, looseBits: 4 };
const gear = goldenGear();

describe('cutting', () => {
  for (const golden of cases) {
    it(`finds the borders of the golden file: ${golden.name}`, () => {
      const cut = createCut(gear, paramsOf(golden.params));
      assert.deepEqual(cutAll(cut, goldenInput(golden)), golden.pieces);
    });
  }

  it('does what the format says, byte for byte', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 3000 }), params(), (bytes, given) => {
        assert.deepEqual(cutAll(createCut(gear, given), bytes), cutSlowly(bytes, gear, given));
      }),
    );
  });

  it('joins to the whole and keeps within its limits', () => {
    const cut = createCut(gear, TINY);
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 5000 }), (bytes) => {
        const lengths = cutAll(cut, bytes);
        assert.equal(
          lengths.reduce((sum, n) => sum + n, 0),
          bytes.length,
        );
        for (const length of lengths.slice(0, -1)) assert.ok(length > TINY.min && length <= TINY.max);
      }),
    );
  });

  it('does not depend on where in memory the bytes lie', () => {
    const cut = createCut(gear, TINY);
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 2000 }), fc.nat(50), (bytes, shift) => {
        const moved = new Uint8Array(bytes.length + shift);
        moved.set(bytes, shift);
        assert.deepEqual(lengthsFrom(cut, moved, shift), cutAll(cut, bytes));
      }),
    );
  });

  it('finds its borders again behind an insertion', () => {
    const cut = createCut(gear, TINY);
    const bytes = createHash('shake256', { outputLength: 20_000 }).update('insertion').digest();
    const longer = Buffer.concat([bytes.subarray(0, 5000), Buffer.from('inserted'), bytes.subarray(5000)]);
    const ends = new Set(endsOf(cutAll(cut, bytes)).map((end) => bytes.length - end));
    const same = endsOf(cutAll(cut, longer)).filter((end) => ends.has(longer.length - end));
    assert.ok(same.length > ends.size / 2, `${same.length} of ${ends.size}`);
  });

  it('refuses parameters that make no sense', () => {
    assert.throws(() => createCut(gear, { ...TINY, min: 100 }), RangeError);
    assert.throws(() => createCut(gear, { ...TINY, looseBits: 0 }), RangeError);
    assert.throws(() => createCut(gear.subarray(1), TINY), RangeError);
  });
});

function params() {
  return fc
    .tuple(fc.nat(40), fc.nat(60), fc.nat(200), fc.integer({ min: 1, max: 12 }), fc.integer({ min: 1, max: 12 }))
    .map(([min, more, most, strictBits, looseBits]) => ({
      min,
      normal: min + more,
      max: Math.max(1, min + more + most),
      strictBits,
      looseBits,
    }));
}

function lengthsFrom(cut: Cut, bytes: Uint8Array, from: number): number[] {
  const lengths: number[] = [];
  for (let at = from; at < bytes.length; ) {
    const length = cut(bytes, at, bytes.length);
    lengths.push(length);
    at += length;
  }
  return lengths;
}

function endsOf(lengths: readonly number[]): number[] {
  let end = 0;
  return lengths.map((length) => {
    end += length;
    return end;
  });
}
