import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { MAX_WRAPS } from './layout.ts';
import { MemoryStore } from './memory.ts';
import { appendWrap, storedWraps, wrapsNamed } from './wraps.ts';

const archiveId = new Uint8Array(16).fill(1);
const NAME = `${'ab'.repeat(16)}.age`;
const bytes = (n: number) => Uint8Array.of(n, 1);

describe('wraps of one recipient', () => {
  it('are added and never replaced, the newest first', async () => {
    const store = new MemoryStore();
    for (const n of [1, 2, 1]) assert.equal(await appendWrap(store, archiveId, NAME, bytes(n)), 'stored');
    assert.equal(await appendWrap(store, archiveId, NAME, bytes(1)), 'exists');
    await appendWrap(store, archiveId, 'passphrase.age', bytes(9));
    const names = await storedWraps(store, archiveId, NAME);
    assert.deepEqual(names, [NAME.replace('.age', '-00003.age'), NAME.replace('.age', '-00002.age'), NAME]);
    const prefix = `archives/${'01'.repeat(16)}/identities/`;
    const kept = await Promise.all(names.map((name) => store.get(`${prefix}${name}`)));
    assert.deepEqual(kept, [bytes(1), bytes(2), bytes(1)]);
  });

  it('added at the same moment are all there', async () => {
    const store = new MemoryStore();
    await Promise.all([1, 2, 3, 4].map((n) => appendWrap(store, archiveId, NAME, bytes(n))));
    assert.equal((await storedWraps(store, archiveId, NAME)).length, 4);
  });

  it('are so many at most', async () => {
    const store = new MemoryStore();
    for (let n = 0; n < MAX_WRAPS; n++) await appendWrap(store, archiveId, NAME, bytes(n));
    assert.equal(await appendWrap(store, archiveId, NAME, bytes(200)), 'full');
    assert.equal((await storedWraps(store, archiveId, NAME)).length, MAX_WRAPS);
  });

  it('go by the names of the format alone', async () => {
    const others = ['passphrase-00001.age', 'passphrase-2.age', 'passphrase.age', NAME, 'passphrase-00012.age'];
    const found = wrapsNamed(
      others.map((name) => ({ name })),
      'passphrase.age',
    );
    assert.deepEqual(
      found.map(({ name }) => name),
      ['passphrase-00012.age', 'passphrase.age'],
    );
    for (const name of ['passphrase-00002.age', '../x.age', 'x'])
      await assert.rejects(appendWrap(new MemoryStore(), archiveId, name, bytes(1)), { code: 'blob_name_invalid' });
  });
});
