// What every binding of an archive's keys owes: the golden frames, any chunk back, and a refusal with a
// code for whatever a hostile store or a hostile holder of the keys could make. Run by both bindings.

import assert from 'node:assert/strict';
import { createCipheriv, createHmac, hash } from 'node:crypto';
import { describe, it } from 'node:test';
import { constants, zstdCompressSync } from 'node:zlib';
import fc from 'fast-check';
import { ArchiveError } from '../errors.ts';
import type { ArchiveCrypto, AsyncArchiveCrypto, FillRandom } from '../format/archive-crypto.ts';
import { encodeEntry } from '../format/entry.ts';
import { CODEC, MAX_PLAIN_LENGTH, sealedHead } from '../format/frame.ts';
import type { ArchiveKeys } from '../format/keys.ts';
import { hasLinks, KIND, type Kind } from '../format/kinds.ts';
import { padmeLength } from '../format/padme.ts';
import { kind, links } from '../format/testing/arbitrary.ts';
import { GOLDEN_KEYS, golden, goldenJson, goldenNames, goldenValue } from '../format/testing/golden.ts';

type AnyCrypto = ArchiveCrypto | AsyncArchiveCrypto;
export type CreateArchiveCrypto = (keys: ArchiveKeys, fillRandom?: FillRandom) => AnyCrypto;

type GoldenFrame = {
  kind: Kind;
  generation: number;
  id: Uint8Array;
  links: Uint8Array;
  nonce: Uint8Array;
  codec: number;
  plaintext?: Uint8Array;
  plainHash?: Uint8Array;
};

const onlyGeneration = (generation: number): ArchiveKeys => ({
  ...GOLDEN_KEYS,
  contentKeys: new Map([[generation, GOLDEN_KEYS.contentKeys.get(generation) as Uint8Array]]),
});

const bytesOf = (bytes: Uint8Array): Buffer => Buffer.from(bytes);
const hmac = (key: Uint8Array, ...parts: Uint8Array[]): Buffer =>
  createHmac('sha256', key).update(Buffer.concat(parts)).digest();

/** A frame of kind data around any sealed bytes, made as a hostile holder of the keys could. */
function forge(inside: Uint8Array, id: Uint8Array): Uint8Array {
  const entry = encodeEntry({
    kind: KIND.data,
    generation: 2,
    id,
    storedLength: 28 + inside.length,
    links: new Uint8Array(0),
  });
  const key = hmac(GOLDEN_KEYS.contentKeys.get(2) as Uint8Array, Uint8Array.of(KIND.data), id);
  const cipher = createCipheriv('aes-256-gcm', key, Buffer.alloc(12));
  cipher.setAAD(Buffer.concat([GOLDEN_KEYS.archiveId, entry]));
  const ciphertext = Buffer.concat([cipher.update(inside), cipher.final()]);
  return Buffer.concat([entry, Buffer.alloc(12), ciphertext, cipher.getAuthTag()]);
}

const dataId = (plaintext: Uint8Array): Uint8Array => hmac(GOLDEN_KEYS.idKey, Uint8Array.of(KIND.data), plaintext);

const GOLDEN_TEXT = Buffer.from('Holdfast golden data. '.repeat(400));
/** Does not announce how long its content is. */
const STREAMED = zstdCompressSync(GOLDEN_TEXT, { params: { [constants.ZSTD_c_contentSizeFlag]: 0 } });

/** `compresses`: whether `seal` stores zstd where it gains. */
export function archiveCryptoContract(create: CreateArchiveCrypto, compresses: boolean): void {
  const crypto = create(GOLDEN_KEYS);
  goldenContract(create, crypto, compresses);
  sealingContract(crypto, compresses);
  refusingContract(create, crypto);
}

function goldenContract(create: CreateArchiveCrypto, crypto: AnyCrypto, compresses: boolean): void {
  describe('golden frames', () => {
    for (const name of goldenNames('.frame')) {
      const frame = golden(name);
      const value = goldenValue<GoldenFrame>(name);

      it(`${name} opens to what was sealed`, async () => {
        const { entry, plaintext } = await crypto.open(frame, { kind: value.kind, id: value.id });
        assert.equal(entry.generation, value.generation);
        assert.deepEqual(bytesOf(entry.links), bytesOf(value.links));
        if (value.plaintext !== undefined) assert.deepEqual(bytesOf(plaintext), bytesOf(value.plaintext));
        else assert.equal(hash('sha256', plaintext), value.plainHash?.toHex());
        assert.deepEqual(bytesOf(await crypto.chunkId(value.kind, plaintext, value.links)), bytesOf(value.id));
      });

      const same =
        value.codec === CODEC.raw &&
        (!compresses || (value.plaintext as Uint8Array).length < 64 || /frame-data/.test(name));
      if (!same) continue;
      it(`${name} is sealed again to the same bytes`, async () => {
        const sealing = create(onlyGeneration(value.generation), (target) => target.set(value.nonce));
        const again = await sealing.seal(value.kind, value.id, value.plaintext as Uint8Array, value.links);
        assert.deepEqual(bytesOf(again), bytesOf(frame));
      });
    }

    it('file ids, gear table, border hashes and the snapshot MAC are those of the second encoder', async () => {
      for (const [content, id] of goldenJson<[Uint8Array, Uint8Array][]>('file-id.json'))
        assert.deepEqual(bytesOf(await crypto.fileId(content)), bytesOf(id));
      const gear = Buffer.alloc(1024);
      (await crypto.gear()).forEach((n, i) => void gear.writeInt32BE(n, 4 * i));
      assert.deepEqual(gear, bytesOf(golden('gear.bin')));
      for (const [label, level, text, border] of goldenJson<[string, number, Uint8Array, number][]>('border.json'))
        assert.equal(await crypto.border(label, level, text), border);
      const { envelope, mac } = goldenValue<{ envelope: Uint8Array; mac: Uint8Array }>('snapshot-first.cbor');
      assert.deepEqual(bytesOf(await crypto.snapshotMac(envelope)), bytesOf(mac));
    });
  });
}

function sealingContract(crypto: AnyCrypto, compresses: boolean): void {
  const content = (): fc.Arbitrary<Uint8Array> =>
    fc.oneof(
      fc.uint8Array({ maxLength: 300 }),
      fc
        .tuple(fc.uint8Array({ minLength: 1, maxLength: 40 }), fc.nat(5000))
        .map(([word, count]) => Buffer.concat(Array.from({ length: count }, () => word))),
    );

  describe('sealing', () => {
    it('gives any chunk back, and pads what is stored to its Padmé length', async () => {
      await fc.assert(
        fc.asyncProperty(kind(), links(), content(), async (k, l, plaintext) => {
          const linked = hasLinks(k) ? l : new Uint8Array(0);
          const id = await crypto.chunkId(k, plaintext, linked);
          const frame = await crypto.seal(k, id, plaintext, linked);
          const opened = await crypto.open(frame, { kind: k, id });
          assert.deepEqual(bytesOf(opened.plaintext), bytesOf(plaintext));
          assert.equal(opened.entry.generation, crypto.newest);
          assert.deepEqual(bytesOf(opened.entry.links), bytesOf(linked));
          const inside = opened.entry.storedLength - 28;
          assert.equal(inside, padmeLength(inside));
          assert.ok(inside <= padmeLength(5 + plaintext.length));
        }),
      );
    });

    it('opens what lies in the middle of a pack', async () => {
      const plaintext = Buffer.from('in the middle');
      const id = await crypto.chunkId(KIND.data, plaintext);
      const frame = await crypto.seal(KIND.data, id, plaintext);
      const pack = new Uint8Array(frame.length + 20);
      pack.set(frame, 10);
      const opened = await crypto.open(pack.subarray(10, 10 + frame.length));
      assert.deepEqual(bytesOf(opened.plaintext), plaintext);
    });

    it('never seals twice to the same bytes', async () => {
      const plaintext = Buffer.from('again');
      const id = await crypto.chunkId(KIND.data, plaintext);
      const [a, b] = [await crypto.seal(KIND.data, id, plaintext), await crypto.seal(KIND.data, id, plaintext)];
      assert.notDeepEqual(bytesOf(a), bytesOf(b));
    });

    it('takes the largest chunk and no larger one', async () => {
      const largest = new Uint8Array(MAX_PLAIN_LENGTH + 1);
      const id = await crypto.chunkId(KIND.data, largest.subarray(1));
      const frame = await crypto.seal(KIND.data, id, largest.subarray(1));
      assert.equal((await crypto.open(frame)).plaintext.length, MAX_PLAIN_LENGTH);
      if (compresses) assert.ok(frame.length < 10_000);
      await assert.rejects(async () => crypto.seal(KIND.data, id, largest), { code: 'chunk_too_large' });
    });

    it('separates the kinds: no two share an id', async () => {
      const stored = Object.values(KIND).filter((k) => k !== KIND.file);
      const ids = await Promise.all(stored.map(async (k) => (await crypto.chunkId(k, Buffer.from('same'))).toHex()));
      assert.equal(new Set(ids).size, stored.length);
    });

    it('refuses links for a kind that has none', async () => {
      await assert.rejects(async () => crypto.chunkId(KIND.data, new Uint8Array(1), new Uint8Array(32)), {
        code: 'value_invalid',
      });
    });
  });
}

/** As `open` finds it: either the content does not fit what was announced, or its id does not fit the content. */
const REFUSED = ['format_invalid', 'chunk_id_mismatch'];

function refusingContract(create: CreateArchiveCrypto, crypto: AnyCrypto): void {
  const frame = golden('frame-tree.frame');
  const code = async (go: () => unknown): Promise<string> => {
    try {
      await go();
    } catch (error) {
      assert.ok(error instanceof ArchiveError, `${error}`);
      return error.code;
    }
    return 'opened';
  };

  describe('refusing', () => {
    it('says that another chunk came than the one asked for', async () => {
      assert.equal(await code(() => crypto.open(frame, { kind: KIND.data })), 'chunk_unexpected');
      assert.equal(await code(() => crypto.open(frame, { id: new Uint8Array(32) })), 'chunk_unexpected');
    });

    it('says which generation is missing', async () => {
      const old = create(onlyGeneration(1));
      assert.equal(await code(() => old.open(frame)), 'generation_unknown');
    });

    it('opens nothing of another archive, not even with its content keys', async () => {
      for (const other of [{ archiveId: new Uint8Array(16) }, { contentKeys: new Map([[2, new Uint8Array(32)]]) }])
        assert.equal(await code(() => create({ ...GOLDEN_KEYS, ...other }).open(frame)), 'chunk_seal_broken');
    });

    it('refuses a frame with any one bit turned', async () => {
      for (const name of ['frame-list.frame', 'frame-bundle-zstd-streamed.frame']) {
        const original = golden(name);
        for (let at = 0; at < original.length; at++) {
          const turned = original.with(at, (original[at] as number) ^ (1 << (at % 8)));
          assert.notEqual(await code(() => crypto.open(turned)), 'opened', `${name}, byte ${at}`);
        }
      }
    });

    it('refuses links that were swapped for others', async () => {
      const swapped = frame.slice();
      swapped.fill(0xee, 44 + 96, 44 + 128);
      assert.equal(await code(() => crypto.open(swapped)), 'chunk_seal_broken');
    });

    it('refuses content planted under the id of other content', async () => {
      const id = await crypto.chunkId(KIND.data, Buffer.from('what the id names'));
      const planted = await crypto.seal(KIND.data, id, Buffer.from('something else'));
      assert.equal(await code(() => crypto.open(planted, { id })), 'chunk_id_mismatch');
    });

    it('refuses a tree under links that its id does not name', async () => {
      const body = Buffer.from('body');
      const [one, two] = [new Uint8Array(32).fill(1), new Uint8Array(32).fill(2)];
      const id = await crypto.chunkId(KIND.tree, body, one);
      assert.equal(
        await code(async () => crypto.open(await crypto.seal(KIND.tree, id, body, two))),
        'chunk_id_mismatch',
      );
    });

    const text = Buffer.alloc(5000, 'text ');
    const zstd = zstdCompressSync(text);
    const sealed = (codec: number, length: number, ...parts: Uint8Array[]) =>
      Buffer.concat([sealedHead(codec, length), ...parts]);
    const forged: [string, Uint8Array, Uint8Array][] = [
      ['an unknown codec', sealed(2, 1, Buffer.alloc(1)), Buffer.alloc(1)],
      ['a plain length over the largest', sealed(CODEC.raw, MAX_PLAIN_LENGTH + 1, Buffer.alloc(9)), Buffer.alloc(9)],
      ['a plain length over what is there', sealed(CODEC.raw, 10, Buffer.alloc(9)), Buffer.alloc(9)],
      ['padding that is not zero', sealed(CODEC.raw, 5000, text, Buffer.from([0, 1])), text],
      ['padding behind zstd that is not zero', sealed(CODEC.zstd, 5000, zstd, Buffer.from([0, 1])), text],
      ['a second zstd frame', sealed(CODEC.zstd, 5000, zstd, zstd), text],
      ['zstd that is cut', sealed(CODEC.zstd, 5000, zstd.subarray(0, -3)), text],
      ['zstd of more than announced', sealed(CODEC.zstd, 4999, zstd), text.subarray(1)],
      ['zstd of less than announced', sealed(CODEC.zstd, 5001, zstd), text],
      ['zstd of something else', sealed(CODEC.zstd, 5000, Buffer.alloc(40, 7)), text],
      [
        'zstd of more than announced that does not say how much',
        sealed(CODEC.zstd, 8799, STREAMED),
        GOLDEN_TEXT.subarray(0, 8799),
      ],
      [
        'zstd of less than announced that does not say how much',
        sealed(CODEC.zstd, 8801, STREAMED),
        Buffer.concat([GOLDEN_TEXT, Buffer.alloc(1)]),
      ],
    ];
    for (const [what, inside, plaintext] of forged) {
      it(`refuses ${what}, sealed by a holder of the keys`, async () => {
        const got = await code(() => crypto.open(forge(inside, dataId(plaintext))));
        assert.equal(got, 'format_invalid');
      });
    }

    it('opens zstd of unknown size that is as long as announced', async () => {
      const opened = await crypto.open(forge(sealed(CODEC.zstd, 8800, STREAMED, Buffer.alloc(7)), dataId(GOLDEN_TEXT)));
      assert.deepEqual(bytesOf(opened.plaintext), GOLDEN_TEXT);
    });

    it('gives an ArchiveError or the same chunk for zstd with changed bytes', async () => {
      const id = dataId(text);
      await fc.assert(
        fc.asyncProperty(fc.nat(zstd.length - 1), fc.integer({ min: 1, max: 255 }), async (at, change) => {
          const changed = zstd.with(at, (zstd[at] as number) ^ change);
          const got = await code(() => crypto.open(forge(sealed(CODEC.zstd, 5000, changed), id)));
          assert.ok([...REFUSED, 'opened'].includes(got), got);
        }),
        { numRuns: 300 },
      );
    });
  });
}
