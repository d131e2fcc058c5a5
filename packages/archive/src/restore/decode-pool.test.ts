import assert from 'node:assert/strict';
import { randomBytes, randomFillSync } from 'node:crypto';
import { after, describe, it } from 'node:test';
import { createArchiveCrypto } from '../crypto-node/archive-crypto.ts';
import { ArchiveError } from '../errors.ts';
import { KIND } from '../format/kinds.ts';
import { generateArchiveKeys } from '../keys/archive-keys.ts';
import type { OpenedChunk } from './chunk-reader.ts';
import { createDecodePool, type DecodePool } from './decode-pool.ts';

const keys = generateArchiveKeys((target) => randomFillSync(target));
const crypto = createArchiveCrypto(keys);
/** Together they are too much to be opened on the spot. */
const contents = [randomBytes(3_000_000), randomBytes(2_000_000), randomBytes(1000)];
const chunks = contents.map((plaintext) => {
  const id = crypto.chunkId(KIND.data, plaintext);
  return { id, frame: crypto.seal(KIND.data, id, plaintext) };
});

function rangeWith(broken: readonly number[]): Uint8Array {
  const range = new Uint8Array(Buffer.concat(chunks.map(({ frame }) => frame)));
  for (const i of broken) {
    const last = chunks.slice(0, i + 1).reduce((sum, { frame }) => sum + frame.length, 0) - 1;
    range[last] = (range[last] as number) ^ 1;
  }
  return range;
}

async function openedBy(pool: DecodePool, range: Uint8Array): Promise<(OpenedChunk | ArchiveError)[]> {
  let at = 0;
  const frames = chunks.map(({ id, frame }, chunk) => {
    at += frame.length;
    return { chunk, at: at - frame.length, length: frame.length, id };
  });
  const answers: (OpenedChunk | ArchiveError)[] = [];
  await pool.open(range, frames, (chunk, answer) => {
    answers[chunk] = answer;
  });
  return answers;
}

describe('threads that are closed in the middle of their work', () => {
  it('end, and take nothing else with them', async () => {
    const plaintext = Buffer.alloc(600, 'compressible ');
    const id = crypto.chunkId(KIND.data, plaintext);
    const frame = crypto.seal(KIND.data, id, plaintext);
    const count = Math.ceil(4_300_000 / frame.length);
    const frames = Array.from({ length: count }, (_, i) => ({
      chunk: i,
      at: i * frame.length,
      length: frame.length,
      id,
    }));
    for (let round = 0; round < 8; round++) {
      const range = new Uint8Array(Buffer.concat(frames.map(() => frame)));
      const pool = createDecodePool(keys, 1);
      const first = Promise.withResolvers<void>();
      const opening = pool.open(range, frames, () => first.resolve());
      await first.promise;
      await Promise.all([assert.rejects(opening, /decoding thread ended/), pool.close()]);
    }
  });
});

describe('frames that are opened', () => {
  const pools = { 'on the spot': createDecodePool(keys, 0), 'by a thread': createDecodePool(keys, 1) };
  after(() => Promise.all(Object.values(pools).map((pool) => pool.close())));

  for (const [where, pool] of Object.entries(pools)) {
    it(`give their content ${where}`, async () => {
      for (const [i, answer] of (await openedBy(pool, rangeWith([]))).entries()) {
        assert.ok(!(answer instanceof ArchiveError));
        assert.ok(contents[i]?.equals(answer.plaintext));
      }
    });

    for (const broken of [[0], [1], [2], [0, 1, 2]]) {
      it(`are named ${where} when they are broken, and the others are opened: ${broken}`, async () => {
        for (const [i, answer] of (await openedBy(pool, rangeWith(broken))).entries()) {
          assert.equal(answer instanceof ArchiveError, broken.includes(i));
          if (!(answer instanceof ArchiveError)) continue;
          assert.equal(answer.code, 'chunk_seal_broken');
          assert.deepEqual(answer.data.id, new Uint8Array(chunks[i]?.id as Uint8Array));
        }
      });
    }
  }
});
