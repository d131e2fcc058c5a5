import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { ArchiveError } from '../errors.ts';
import { listArchives } from './archives.ts';
import * as layout from './layout.ts';
import { MemoryStore } from './memory.ts';
import { isBlobName } from './names.ts';

const archiveId = fc.uint8Array({ minLength: 16, maxLength: 16 });
const id = fc.uint8Array({ minLength: 32, maxLength: 32 });
const A = new Uint8Array(16).fill(0xa1);
const P = new Uint8Array(32).fill(0x0b);
const a = 'a1'.repeat(16);
const p = '0b'.repeat(32);

const invalidName = (error: unknown): boolean => error instanceof ArchiveError && error.code === 'blob_name_invalid';

describe('names in a store point', () => {
  it('are those of the format document', () => {
    assert.equal(layout.packName(A, P), `archives/${a}/packs/0b/${p}`);
    assert.equal(layout.snapshotName(A, P), `archives/${a}/snapshots/${p}`);
    assert.equal(layout.receiptName(A, P), `archives/${a}/receipts/${p}`);
    assert.equal(layout.tombstoneName(A, P), `archives/${a}/tombstones/${p}`);
    assert.equal(layout.policyName(A), `archives/${a}/policy`);
    assert.equal(layout.deviceListName(A, 42), `archives/${a}/devices/0000000042`);
    assert.equal(
      layout.keyFileName(A, layout.keyFileBaseName(7, P)),
      `archives/${a}/keys/00007-${'0b'.repeat(16)}.age`,
    );
    assert.equal(layout.identityName(A, layout.identityBaseName(P)), `archives/${a}/identities/${'0b'.repeat(16)}.age`);
    assert.equal(layout.identityName(A, layout.PASSPHRASE_WRAP_NAME), `archives/${a}/identities/passphrase.age`);
  });

  it('are read back as what they name', () => {
    fc.assert(
      fc.property(
        archiveId,
        id,
        fc.integer({ min: 1, max: 0xffff }),
        fc.nat(),
        (archive, object, generation, counter) => {
          const keys = layout.keyFileBaseName(generation, object);
          const wrap = layout.identityBaseName(object);
          const expected = [
            [layout.packName(archive, object), { kind: 'pack', archiveId: archive, id: object }],
            [layout.snapshotName(archive, object), { kind: 'snapshot', archiveId: archive, id: object }],
            [layout.receiptName(archive, object), { kind: 'receipt', archiveId: archive, id: object }],
            [layout.tombstoneName(archive, object), { kind: 'tombstone', archiveId: archive, id: object }],
            [layout.keyFileName(archive, keys), { kind: 'keyFile', archiveId: archive, name: keys }],
            [layout.identityName(archive, wrap), { kind: 'identity', archiveId: archive, name: wrap }],
            [layout.deviceListName(archive, counter), { kind: 'deviceList', archiveId: archive, counter }],
            [layout.policyName(archive), { kind: 'policy', archiveId: archive }],
          ] as const;
          for (const [name, object] of expected) {
            assert.ok(isBlobName(name), name);
            assert.deepEqual(layout.parseName(name), object);
          }
        },
      ),
    );
  });

  it('are nothing else', () => {
    for (const name of [
      '',
      'archives',
      `archives/${a}`,
      `archives/${a}/`,
      `archives/${a}/packs/0b`,
      `archives/${a}/packs/0c/${p}`,
      `archives/${a}/packs/0b/${p}/x`,
      `archives/${a}/packs/0b/${p.toUpperCase()}`,
      `archives/${a}/snapshots/${p}x`,
      `archives/${a}/snapshots/0b/${p}`,
      `archives/${a.slice(1)}/policy`,
      `archives/${a}/policy/x`,
      `archives/${a}/keys/1-${'0b'.repeat(16)}.age`,
      `archives/${a}/identities/other.age`,
      `archives/${a}/devices/42`,
      `archives/${a}/constructor/${p}`,
      `other/${a}/policy`,
    ])
      assert.equal(layout.parseName(name), null, name);
  });

  it('are refused for what comes from afar and is none', () => {
    for (const name of ['../x.age', 'passphrase.age/..', '00001-xyz.age', ''])
      assert.throws(() => layout.keyFileName(A, name), invalidName);
    for (const name of ['../passphrase.age', 'passphrase', 'PASSPHRASE.age'])
      assert.throws(() => layout.identityName(A, name), invalidName);
    for (const counter of [-1, 0.5, 1e10, Number.NaN])
      assert.throws(() => layout.deviceListName(A, counter), invalidName);
    assert.throws(() => layout.packName(A, A), invalidName);
    assert.throws(() => layout.packName(P, P), invalidName);
  });
});

describe('listing archives', () => {
  it('finds each once, whatever lies between them', async () => {
    const store = new MemoryStore();
    const [first, second] = [new Uint8Array(16), new Uint8Array(16).fill(0xff)];
    for (const name of [
      layout.packName(first, P),
      layout.policyName(first),
      layout.snapshotName(second, P),
      layout.policyName(A),
      'archives/other',
      'archives/00/policy',
      'archives/zz/a',
      'other/x',
      `archives/${a}x/policy`,
    ])
      await store.put(name, new Uint8Array(1));
    assert.deepEqual(await Array.fromAsync(listArchives(store)), [first, A, second]);
  });

  it('finds none in an empty store', async () => {
    assert.deepEqual(await Array.fromAsync(listArchives(new MemoryStore())), []);
  });
});
