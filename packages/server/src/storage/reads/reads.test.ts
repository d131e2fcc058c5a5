import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { packName } from '@holdfast/archive/store/layout.ts';
import { decodePresent } from '@holdfast/protocol/storage-wire.ts';
import { countLoss, raiseEpoch } from '../index/archives.ts';
import { condemn } from '../index/chunks.ts';
import { findPack, updatePack } from '../index/packs.ts';
import { prefixOf } from '../index/prefix.ts';
import { LOST, PACK_STATE } from '../index/tables.ts';
import { Device } from '../testing/device.ts';
import { id, makePack } from '../testing/made.ts';
import { HOUR, testArchive, testPoint } from '../testing/test-point.ts';
import { ReadBudgets } from './budget.ts';
import { presentIds } from './present.ts';
import { askPresent, locate, reportLost } from './questions.ts';
import { parseRange, readPack } from './read-pack.ts';
import type { SessionRef } from './session-use.ts';

const code = (wanted: string) => (error: unknown) => {
  assert.equal((error as { code?: string }).code, wanted, String(error));
  return true;
};

async function setUp() {
  const point = await testPoint();
  const archive = await testArchive(point);
  const device = new Device(point, archive);
  const session = await device.open();
  return { point, archive, device, session, ref: device.ref(session) };
}

type SetUp = Awaited<ReturnType<typeof setUp>>;

async function collectBytes(body: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const parts: Uint8Array[] = [];
  for await (const part of body) parts.push(part);
  return Buffer.concat(parts);
}

async function present({ point }: SetUp, ref: SessionRef, cursor: string | null = null) {
  const answer = decodePresent(await collectBytes(await presentIds(point, ref, cursor)));
  const { prefixes } = answer;
  const hex = Array.from({ length: prefixes.length / 16 }, (_, i) =>
    Buffer.from(prefixes.subarray(i * 16, i * 16 + 16)).toString('hex'),
  );
  return { ...answer, ids: new Set(hex) };
}

const prefixes = (...names: string[]) => new Set(names.map((name) => Buffer.from(prefixOf(id(name))).toString('hex')));

describe('the list of present ids', () => {
  test('is whole at first, then what was added since', async () => {
    const all = await setUp();
    await all.device.put(all.session, [{ id: id('a') }, { id: id('b') }]);
    const first = await present(all, all.ref);
    assert.deepEqual([first.full, first.ids, first.total], [true, prefixes('a', 'b'), 2]);
    const nothing = await present(all, all.ref, first.cursor);
    assert.deepEqual([nothing.full, nothing.ids.size, nothing.cursor], [false, 0, first.cursor]);
    await all.device.put(all.session, [{ id: id('c') }]);
    const young = await all.device.open();
    const more = await present(all, all.device.ref(young), first.cursor);
    assert.deepEqual([more.full, more.ids], [false, prefixes('c')]);
  });

  test('is whole again after a new epoch, without what is condemned', async () => {
    const all = await setUp();
    await all.device.put(all.session, [{ id: id('a') }, { id: id('b') }]);
    const { cursor } = await present(all, all.ref);
    const key = { prefix: prefixOf(id('a')), pack: 1 };
    await all.point.index.write(async (on) => {
      await condemn(on, all.archive.number, [key], 2);
      await raiseEpoch(on, all.archive.number, 2);
    });
    const old = await present(all, all.ref, cursor);
    assert.deepEqual([old.full, old.ids.size], [false, 0], 'an older session keeps what it was told');
    const young = await present(all, all.device.ref(await all.device.open()), cursor);
    assert.deepEqual([young.full, young.ids], [true, prefixes('b')]);
  });

  test('is whole again after a loss, and for a cursor that this index did not give', async () => {
    const all = await setUp();
    await all.device.put(all.session, [{ id: id('a') }]);
    const { cursor } = await present(all, all.ref);
    await all.point.index.write((on) => countLoss(on, all.archive.number));
    assert.equal((await present(all, all.ref, cursor)).full, true);
    for (const strange of ['', '1', 'x.y.z', '1.other.1.0.5', `${cursor}9`.replace('1.', '2.')])
      assert.equal((await present(all, all.ref, strange)).full, true, strange);
  });

  test('goes through the index when too many packs are new, and says the same', async () => {
    const all = await setUp();
    const { cursor } = await present(all, all.ref);
    const names = Array.from({ length: 70 }, (_, i) => `n${i}`);
    for (const name of names) await all.device.put(all.session, [{ id: id(name) }]);
    const answer = await present(all, all.ref, cursor);
    assert.deepEqual([answer.full, answer.ids], [true, prefixes(...names)]);
  });

  test('breaks off when the session ends meanwhile', async () => {
    const all = await setUp();
    await all.device.put(all.session, [{ id: id('a') }]);
    const body = await presentIds(all.point, all.ref, null);
    await all.device.close(all.session);
    await assert.rejects(collectBytes(body), code('session_ended'));
  });
});

describe('questions in a session', () => {
  test('are refused once it has ended, and to other devices', async () => {
    const { point, archive, device, session, ref } = await setUp();
    const strange = { ...ref, device: new Uint8Array(16).fill(66) };
    await assert.rejects(askPresent(point, strange, id('a')), code('session_ended'));
    const elsewhere = { ...ref, archive: await testArchive(point, 2) };
    await assert.rejects(locate(point, elsewhere, id('a')), code('session_ended'));
    await device.close(session);
    for (const ask of [askPresent, locate, reportLost])
      await assert.rejects(ask(point, ref, id('a')), code('session_ended'));
    assert.equal(archive.number, ref.archive.number);
  });

  test('keep it alive, and change nothing else', async () => {
    const { point, device, session, ref } = await setUp();
    const renewed = async () =>
      (await point.index.read((on) => on.db.selectFrom('sessions').select('renewed').executeTakeFirstOrThrow()))
        .renewed;
    const opened = await renewed();
    point.clock.now += 1000;
    await device.has(session, id('a'));
    assert.equal(await renewed(), opened, 'not at every request');
    point.clock.now += HOUR / 2;
    await locate(point, ref, id('a'));
    assert.equal(await renewed(), point.clock.now);
  });

  test('find a chunk wherever it lies, condemned or not', async () => {
    const { point, archive, device, session, ref } = await setUp();
    const packId = await device.put(session, [{ id: id('x') }, { id: id('a') }]);
    await point.index.write((on) => condemn(on, archive.number, [{ prefix: prefixOf(id('a')), pack: 1 }], 1));
    const [found, nothing] = await locate(point, ref, Buffer.concat([id('a'), id('nowhere')]));
    assert.deepEqual([found?.packId, nothing], [packId, null]);
    assert.deepEqual(await device.has(session, id('a')), [false]);
  });

  test('lead from a chunk that did not open to its next location, and make it missing when there is none', async () => {
    const { point, archive, device, session, ref } = await setUp();
    const first = await device.put(session, [{ id: id('a') }]);
    const second = await device.put(session, [{ id: id('a') }, { id: id('b') }]);
    const where = async () => (await locate(point, ref, id('a')))[0];
    assert.deepEqual((await where())?.packId, first);
    assert.equal(await reportLost(point, ref, Buffer.concat([id('a'), id('a'), id('unknown')])), 0);
    assert.deepEqual((await where())?.packId, second);
    assert.deepEqual(await device.has(session, id('a')), [true]);
    assert.deepEqual(point.losses, []);
    assert.equal(await reportLost(point, ref, id('a')), 1);
    assert.deepEqual(await device.has(session, id('a'), id('b')), [false, true]);
    assert.equal((await where())?.lost, LOST.self, 'a report never deletes: the bytes can still be read');
    assert.deepEqual(
      point.losses.map(({ number }) => number),
      [archive.number],
    );
  });
});

describe('a range of a pack', () => {
  async function withPack() {
    const all = await setUp();
    const pack = makePack(all.archive.id, [{ id: id('a'), size: 3_000_000 }]);
    await all.device.putBytes(all.session, pack.id, pack.bytes);
    const read = async (range: string | undefined, spend = (_: number) => {}) => {
      const answer = await readPack(all.point, all.ref, pack.id, range, spend);
      return { ...answer, bytes: await collectBytes(answer.body) };
    };
    const setState = (state: number) =>
      all.point.index.write(async (on) => {
        const row = await findPack(on, all.archive.number, pack.id);
        await updatePack(on, all.archive.number, row?.number ?? 0, { state });
      });
    return { ...all, pack, read, setState };
  }

  test('is exactly what was asked for', async () => {
    const { pack, read } = await withPack();
    const whole = Buffer.from(pack.bytes);
    assert.deepEqual((await read(undefined)).bytes, whole);
    assert.deepEqual((await read('bytes=0-0')).bytes, whole.subarray(0, 1));
    assert.deepEqual((await read('bytes=100-2000000')).bytes, whole.subarray(100, 2_000_001));
    assert.deepEqual((await read('bytes=-50')).bytes, whole.subarray(-50));
    assert.deepEqual((await read('bytes=2900000-')).bytes, whole.subarray(2_900_000));
  });

  test('outside of the pack is refused', () => {
    for (const wrong of ['bytes=10-', 'bytes=5-4', 'bytes=-0', 'bytes=-', 'bytes=0-1,3-4', 'lines=0-1', 'bytes=a-b'])
      assert.throws(() => parseRange(wrong, 10), code('invalid_request'), wrong);
    assert.deepEqual(parseRange('bytes=3-99', 10), { offset: 3, length: 7 });
  });

  test('can be read while its pack is retired; afterwards the reader is told to look again', async () => {
    const { pack, read, setState } = await withPack();
    await setState(PACK_STATE.retired);
    assert.equal((await read(undefined)).bytes.length, pack.bytes.length);
    for (const state of [PACK_STATE.deleting, PACK_STATE.gone]) {
      await setState(state);
      await assert.rejects(read(undefined), code('chunk_moved'));
    }
    await setState(PACK_STATE.missing);
    await assert.rejects(read(undefined), code('pack_missing'));
  });

  test('of a pack whose object is gone or cut short is reported as missing', async () => {
    const { point, archive, pack, read } = await withPack();
    const name = packName(archive.id, pack.id);
    await point.blobs.put(name, pack.bytes.subarray(0, 100));
    await assert.rejects(read(undefined), code('pack_missing'));
    await point.blobs.delete(name);
    await assert.rejects(read(undefined), code('pack_missing'));
  });

  test('is refused when the capability allows fewer bytes, and the budget is its own', async () => {
    const { point, pack, read } = await withPack();
    const budgets = new ReadBudgets(() => point.clock.now);
    const claims = { jti: 'one', exp: point.clock.now / 1000 + 600, bytes: pack.bytes.length + 10 };
    const spend = (bytes: number) => budgets.spend(claims, bytes);
    await read(undefined, spend);
    await read('bytes=0-9', spend);
    await assert.rejects(read('bytes=0-0', spend), code('budget_spent'));
    await read('bytes=0-0', (bytes) => budgets.spend({ ...claims, jti: 'two' }, bytes));
    await read(undefined, (bytes) => budgets.spend({ jti: 'three', exp: 1 }, bytes));
  });
});
