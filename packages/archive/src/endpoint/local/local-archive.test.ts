import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { ArchiveError } from '../../errors.ts';
import { toHex } from '../../format/ids.ts';
import { encodePackHeader, PACK_HEADER_LENGTH } from '../../format/pack.ts';
import { decodeSnapshotObject, encodeSnapshotObject } from '../../format/snapshot.ts';
import type { BlobStore } from '../../store/blob-store.ts';
import { FaultyStore } from '../../store/faulty.ts';
import { deviceListName, packName, receiptName, snapshotName, tombstoneName } from '../../store/layout.ts';
import { MemoryStore } from '../../store/memory.ts';
import { RetryingStore } from '../../store/retrying.ts';
import {
  type ArchiveFixture,
  type FixtureChunk,
  type FixturePack,
  idsOf,
  makeArchiveFixture,
} from '../testing/archive-fixture.ts';
import type { LocalEvent } from './local-archive.ts';
import { openLocalEndpoint } from './local-endpoint.ts';

const open = async (store: BlobStore, { archiveId }: ArchiveFixture) => {
  const events: LocalEvent[] = [];
  const endpoint = await openLocalEndpoint({ store, archiveId, onEvent: (event) => events.push(event) });
  const damaged = events.filter((event) => event.kind === 'packDamaged');
  return { endpoint, session: await endpoint.openSession('backup'), damaged };
};

const flip = (bytes: Uint8Array, at: number): Uint8Array => bytes.map((value, i) => (i === at ? value ^ 1 : value));

/** An archive with two chunks in one pack, of which a part of the bytes was changed. */
async function damagedArchive(change: (pack: FixturePack, first: FixtureChunk) => Uint8Array) {
  const a = await makeArchiveFixture();
  const chunks = [a.data('one'), a.data('two'.repeat(100))] as const;
  const pack = a.pack(...chunks);
  const store = new MemoryStore();
  await store.put(packName(a.archiveId, pack.id), change(pack, chunks[0]));
  return { a, chunks, pack, store, ...(await open(store, a)) };
}

describe('opening an archive over a store', () => {
  it('knows all that was stored before', async () => {
    const a = await makeArchiveFixture();
    const store = new MemoryStore();
    const root = a.tree({ file: a.data('x'), more: a.indexed({ a: a.bundle('a') }, { b: a.bundle('b') }) });
    const first = await open(store, a);
    const snapshot = await a.snapshot(root);
    await first.session.commit(snapshot.object, undefined, a.pack(...a.below(root)));
    const { session, endpoint, damaged } = await open(store, a);
    assert.deepEqual(damaged, []);
    const all = a.below(root);
    assert.ok((await session.ask(idsOf(...all))).every((answer) => answer === 1));
    const places = await session.locate(idsOf(...all));
    for (const [i, place] of places.entries()) {
      assert.ok(place);
      const frame = await session.read(place.packId, place.offset, place.length);
      assert.deepEqual(frame, all[i]?.frame);
      assert.equal(place.kind, all[i]?.kind);
    }
    assert.deepEqual(
      (await endpoint.snapshots()).map(({ object }) => object && toHex(object)),
      [toHex(snapshot.object)],
    );
  });

  it('reads a table that is longer than the end it looks at first', async () => {
    const a = await makeArchiveFixture();
    const chunks = Array.from({ length: 1500 }, (_, i) => a.data(`${i}`));
    const store = new MemoryStore();
    const pack = a.pack(...chunks);
    await store.put(packName(a.archiveId, pack.id), pack.bytes);
    const { session } = await open(store, a);
    assert.ok((await session.ask(idsOf(...chunks))).every((answer) => answer === 1));
  });

  it('finds the frames of a pack whose table is damaged', async () => {
    const { session, chunks, damaged, pack } = await damagedArchive(({ bytes }) => flip(bytes, bytes.length - 70));
    assert.deepEqual([...(await session.ask(idsOf(...chunks)))], [1, 1]);
    const [event] = damaged;
    assert.deepEqual([event?.kind, event?.packId, event?.chunks], ['packDamaged', pack.id, 2]);
  });

  it('finds the first frames of a pack that was cut short', async () => {
    const { session, chunks, damaged } = await damagedArchive(({ bytes }, first) =>
      bytes.subarray(0, PACK_HEADER_LENGTH + first.frame.length + 50),
    );
    assert.deepEqual([...(await session.ask(idsOf(...chunks)))], [1, 0]);
    assert.equal(damaged[0]?.chunks, 1);
  });

  for (const [what, change] of Object.entries<(pack: FixturePack) => Uint8Array>({
    'an empty pack': () => new Uint8Array(0),
    'a pack of nothing but a header': () => encodePackHeader(new Uint8Array(16)),
    'a pack of zeros': ({ bytes }) => new Uint8Array(bytes.length),
    'a pack of a newer version': ({ bytes }) => flip(bytes.subarray(0, -1), 11),
    'a file that is larger than any pack': () => new Uint8Array(33_554_433),
  })) {
    it(`passes over ${what}, and says so`, async () => {
      const { session, chunks, damaged } = await damagedArchive(change);
      assert.deepEqual([...(await session.ask(idsOf(...chunks)))], [0, 0]);
      assert.deepEqual([damaged.length, damaged[0]?.chunks], [1, 0]);
      assert.ok(damaged[0]?.error instanceof ArchiveError);
    });
  }

  it('passes over what others left in its folders', async () => {
    const a = await makeArchiveFixture();
    const other = await makeArchiveFixture();
    const store = new MemoryStore();
    const hex = toHex(a.archiveId);
    const [pack, foreign] = [a.pack(a.data('x')), other.pack(other.data('x'))];
    await store.put(packName(a.archiveId, pack.id), pack.bytes);
    await store.put(packName(other.archiveId, foreign.id), foreign.bytes);
    for (const name of [`packs/00/${toHex(pack.id)}`, 'packs/readme.txt', 'snapshots/old', 'devices/1', 'keys/x.age'])
      await store.put(`archives/${hex}/${name}`, Uint8Array.of(1));
    const { session, endpoint, damaged } = await open(store, a);
    assert.equal((await session.present(null)).total, 1);
    assert.deepEqual(
      [await endpoint.snapshots(), await endpoint.deviceLists(), await endpoint.keyFiles()],
      [[], [], []],
    );
    assert.deepEqual(damaged, []);
  });

  it('fails when the store does not answer, rather than opening half of it', async () => {
    const a = await makeArchiveFixture();
    const store = new MemoryStore();
    for (const content of ['1', '2', '3', '4']) {
      const pack = a.pack(a.data(content));
      await store.put(packName(a.archiveId, pack.id), pack.bytes);
    }
    const faulty = new FaultyStore(store, { seed: 1, cutAt: 6 });
    await assert.rejects(open(faulty, a), { code: 'store_unavailable' });
    const patient = new RetryingStore(new FaultyStore(store, { seed: 1, refuse: 0.3 }), {
      attempts: 30,
      wait: async () => undefined,
    });
    const { session } = await open(patient, a);
    assert.equal((await session.present(null)).total, 4);
  });

  it('stops when it is aborted', async () => {
    const a = await makeArchiveFixture();
    const store = new MemoryStore();
    const pack = a.pack(a.data('x'));
    await store.put(packName(a.archiveId, pack.id), pack.bytes);
    const signal = AbortSignal.abort(new Error('enough'));
    await assert.rejects(openLocalEndpoint({ store, archiveId: a.archiveId, signal }), /enough/);
  });
});

describe('an archive over a store', () => {
  it('never takes a damaged pack for one that is there', async () => {
    for (const change of [
      (b: Uint8Array) => flip(b, 90),
      (b: Uint8Array) => b.subarray(0, -5),
      () => new Uint8Array(0),
    ]) {
      const { a, session, pack, store, chunks } = await damagedArchive(({ bytes }) => change(bytes));
      assert.equal(await session.putPack(pack.id, pack.bytes), 'stored');
      assert.deepEqual(await store.get(packName(a.archiveId, pack.id)), pack.bytes);
      assert.equal(await session.putPack(pack.id, pack.bytes), 'exists');
      for (const [i, place] of (await session.locate(idsOf(...chunks))).entries())
        assert.deepEqual(place && (await session.read(place.packId, place.offset, place.length)), chunks[i]?.frame);
    }
  });

  it('stores a pack again that vanished meanwhile', async () => {
    const { a, session, pack, store } = await damagedArchive(({ bytes }) => bytes);
    await store.delete(packName(a.archiveId, pack.id));
    await assert.rejects(session.read(pack.id, 0, 10), { code: 'pack_missing' });
    assert.equal(await session.putPack(pack.id, pack.bytes), 'stored');
  });

  it('still reads what was reported lost, where there is nothing better', async () => {
    const { session, chunks } = await damagedArchive(({ bytes }) => bytes);
    await session.reportLost(idsOf(chunks[0]));
    const [place] = await session.locate(idsOf(chunks[0]));
    assert.deepEqual(place && (await session.read(place.packId, place.offset, place.length)), chunks[0].frame);
  });

  it('replaces a damaged snapshot, and no whole one', async () => {
    const a = await makeArchiveFixture();
    const store = new MemoryStore();
    const root = a.tree({});
    const pack = a.pack(root);
    const { object, id } = await a.snapshot(root);
    const name = snapshotName(a.archiveId, id);
    await store.put(name, object.subarray(0, 50));
    await (await open(store, a)).session.commit(object, undefined, pack);
    assert.deepEqual(await store.get(name), object);
    const forged = encodeSnapshotObject({ ...decodeSnapshotObject(object), signature: new Uint8Array(64) });
    await (await open(store, a)).session.commit(forged, undefined, pack);
    assert.deepEqual(await store.get(name), object);
  });

  it('acknowledges nothing that the store did not take, and takes it when it is offered again', async () => {
    const a = await makeArchiveFixture();
    const root = a.tree({ file: a.data('x') });
    const [data, trees] = [a.pack(a.data('x')), a.pack(root)];
    const { object, id } = await a.snapshot(root);
    for (let seed = 0; seed < 20; seed++) {
      const inner = new MemoryStore();
      const faulty = new FaultyStore(inner, { seed, refuse: 0.3, loseAnswer: 0.3, torn: 0.2 });
      const { endpoint } = await openSettled(faulty, a);
      const session = await endpoint.openSession('backup');
      const steps: (() => Promise<unknown>)[] = [
        () => session.putPack(data.id, data.bytes),
        () => session.putPack(trees.id, trees.bytes),
        () => session.commit(object),
      ];
      for (const step of steps) await settled(step);
      assert.deepEqual(await inner.get(packName(a.archiveId, data.id)), data.bytes);
      assert.deepEqual(await inner.get(packName(a.archiveId, trees.id)), trees.bytes);
      assert.deepEqual(await inner.get(snapshotName(a.archiveId, id)), object);
    }
  });

  it('gives the receipts and tombstones that a server left in the store', async () => {
    const a = await makeArchiveFixture();
    const store = new MemoryStore();
    const [one, two] = [await a.snapshot(a.tree({})), await a.snapshot(a.tree({}), { deviceTime: 2 })];
    for (const { id, object } of [one, two]) await store.put(snapshotName(a.archiveId, id), object);
    const [lost, retired] = [new Uint8Array(32).fill(1), new Uint8Array(32)];
    for (const id of [one.id, lost, retired]) await store.put(receiptName(a.archiveId, id), Uint8Array.of(1));
    await store.put(tombstoneName(a.archiveId, retired), Uint8Array.of(2));
    await store.put(deviceListName(a.archiveId, 3), Uint8Array.of(3));
    const { endpoint } = await open(store, a);
    const stored = (await endpoint.snapshots()).map((each) => [toHex(each.id), { ...each }] as const);
    assert.deepEqual(Object.fromEntries(stored), {
      [toHex(one.id)]: { id: one.id, object: one.object, receipt: Uint8Array.of(1) },
      [toHex(two.id)]: { id: two.id, object: two.object, receipt: null },
      [toHex(lost)]: { id: lost, object: null, receipt: Uint8Array.of(1) },
    });
    assert.deepEqual(await endpoint.tombstones(), [Uint8Array.of(2)]);
    assert.deepEqual(await endpoint.deviceLists(), [{ name: '0000000003', bytes: Uint8Array.of(3) }]);
  });

  it('finds trees that reach a loss through several packs and levels', async () => {
    const a = await makeArchiveFixture();
    const { session } = await open(new MemoryStore(), a);
    const lost = a.data('lost'.repeat(300));
    let top = a.tree({ deep: a.list(lost, a.data('rest')) });
    const levels = [top];
    for (let i = 0; i < 6; i++) {
      top = a.tree({ down: top });
      levels.push(top);
    }
    const besides = a.tree({ other: a.data('rest') });
    for (const chunk of [...a.below(top), besides]) {
      const pack = a.pack(chunk);
      await session.putPack(pack.id, pack.bytes);
    }
    await session.reportLost(idsOf(lost));
    assert.ok((await session.ask(idsOf(...levels))).every((answer) => answer === 0));
    assert.deepEqual([...(await session.ask(idsOf(besides)))], [1]);
    const again = a.pack(lost);
    await session.putPack(again.id, again.bytes);
    assert.ok((await session.ask(idsOf(...levels))).every((answer) => answer === 1));
  });

  it('takes packs side by side while losses are reported', async () => {
    const a = await makeArchiveFixture();
    const { session } = await open(new MemoryStore(), a);
    const lost = Array.from({ length: 6 }, (_, i) => a.data(`lost ${i}`));
    const base = a.pack(...lost);
    await session.putPack(base.id, base.bytes);
    const trees = lost.map((chunk, i) => a.tree({ [`${i}`]: chunk }));
    const results = await Promise.allSettled(
      trees.flatMap((tree, i) => {
        const pack = a.pack(tree);
        return [session.putPack(pack.id, pack.bytes), session.reportLost(idsOf(lost[i] as (typeof lost)[number]))];
      }),
    );
    for (const result of results) if (result.status === 'rejected') assert.equal(result.reason.code, 'links_missing');
    assert.ok((await session.ask(idsOf(...lost, ...trees))).every((answer) => answer === 0));
  });
});

async function settled<T>(call: () => Promise<T>): Promise<T> {
  for (let attempt = 0; attempt < 100; attempt++) {
    try {
      return await call();
    } catch (error) {
      if (!(error instanceof ArchiveError && error.retryable)) throw error;
    }
  }
  return assert.fail('100 attempts failed');
}

const openSettled = (store: BlobStore, a: ArchiveFixture) => settled(() => open(store, a));
