import assert from 'node:assert/strict';
import { verify } from 'node:crypto';
import { describe, test } from 'node:test';
import { KIND } from '@holdfast/archive/format/kinds.ts';
import { decodeReceipt } from '@holdfast/archive/format/receipt.ts';
import { decodeSnapshotObject } from '@holdfast/archive/format/snapshot.ts';
import { decodeStatement, LABEL, signedMessage } from '@holdfast/archive/format/statement.ts';
import { FaultyStore } from '@holdfast/archive/store/faulty.ts';
import { packName, receiptName, snapshotName } from '@holdfast/archive/store/layout.ts';
import { MemoryStore } from '@holdfast/archive/store/memory.ts';
import fc from 'fast-check';
import { raiseEpoch } from '../index/archives.ts';
import { condemn } from '../index/chunks.ts';
import { markLost } from '../index/lost.ts';
import { findPack, updatePack } from '../index/packs.ts';
import { prefixOf } from '../index/prefix.ts';
import { endSilentSessions } from '../index/sessions.ts';
import { findSnapshot } from '../index/snapshots.ts';
import { PACK_STATE, SNAPSHOT_STATE } from '../index/tables.ts';
import { publicKeyOf } from '../public-key.ts';
import { Device } from '../testing/device.ts';
import { id, inPieces, makePack, makeSnapshot } from '../testing/made.ts';
import { HOUR, newKeys, receipts, sha256, type TestPoint, testArchive, testPoint } from '../testing/test-point.ts';
import { repeatedCommit } from './commit-snapshot.ts';
import { receivePack } from './receive-pack.ts';
import { checkSnapshot } from './verify-snapshot.ts';

async function setUp(given: Parameters<typeof testPoint>[0] = {}) {
  const point = await testPoint(given);
  const archive = await testArchive(point);
  const device = new Device(point, archive);
  return { point, archive, device, session: await device.open() };
}

const code = (wanted: string) => (error: unknown) => {
  assert.equal((error as { code?: string }).code, wanted, String(error));
  return true;
};

async function objects(point: TestPoint): Promise<string[]> {
  const names: string[] = [];
  for await (const { name } of point.blobs.list('')) names.push(name);
  return names;
}

describe('a pack on its way in', () => {
  test('is stored under its name, and what lies in it is present', async () => {
    const { point, archive, device, session } = await setUp();
    const pack = makePack(archive.id, [{ id: id('a') }, { id: id('b') }]);
    assert.equal(await device.putBytes(session, pack.id, pack.bytes), 'stored');
    assert.deepEqual(await device.has(session, id('a'), id('b'), id('c')), [true, true, false]);
    assert.deepEqual(await point.blobs.get(packName(archive.id, pack.id)), pack.bytes);
  });

  test('is refused with the ids that it links to nothing, and nothing of it is stored', async () => {
    const { point, device, session } = await setUp();
    await device.put(session, [{ id: id('a') }]);
    const before = await objects(point);
    const links = [id('a'), id('x'), id('y')];
    await assert.rejects(device.put(session, [{ id: id('b') }, { id: id('t'), links }]), (error) => {
      code('links_missing')(error);
      const { ids } = (error as { data: { ids: string[] } }).data;
      assert.deepEqual(ids.toSorted(), [id('x').toHex(), id('y').toHex()].sort());
      return true;
    });
    assert.deepEqual(await device.has(session, id('b'), id('t')), [false, false]);
    assert.deepEqual(await objects(point), before);
  });

  test('names at most a thousand missing ids', async () => {
    const { device, session } = await setUp();
    const links = Array.from({ length: 5000 }, (_, i) => id(`x${i}`));
    await assert.rejects(device.put(session, [{ id: id('t'), links }]), (error) => {
      const { ids } = (error as { data: { ids: string[] } }).data;
      assert.equal(new Set(ids).size, 1000);
      return true;
    });
  });

  test('may link an earlier frame of its own, and not a later one', async () => {
    const { device, session } = await setUp();
    await device.put(session, [{ id: id('a') }, { id: id('t'), links: [id('a')] }]);
    const wrongOrder = [{ id: id('u'), links: [id('b')] }, { id: id('b') }];
    await assert.rejects(device.put(session, wrongOrder), code('links_missing'));
    await assert.rejects(device.put(session, [{ id: id('v'), links: [id('v')] }]), code('links_missing'));
  });

  test('may come again, in the same session and in another', async () => {
    const { point, archive, device, session } = await setUp();
    const pack = makePack(archive.id, [{ id: id('a') }]);
    await device.putBytes(session, pack.id, pack.bytes);
    assert.equal(await device.putBytes(session, pack.id, pack.bytes), 'exists');
    assert.equal(await device.putBytes(await device.open(), pack.id, pack.bytes), 'exists');
    assert.equal((await point.index.read((on) => findPack(on, archive.number, pack.id)))?.rows, 1);
  });

  test('may come from several sides at once', async () => {
    const { point, archive, device, session } = await setUp();
    const other = new Device(point, archive, 8);
    const pack = makePack(archive.id, [{ id: id('a') }, { id: id('t'), links: [id('a')] }]);
    const sessions = [session, session, await device.open()];
    const sent = [
      ...sessions.map((one) => device.putBytes(one, pack.id, pack.bytes)),
      other.putBytes(await other.open(), pack.id, pack.bytes),
    ];
    await Promise.all(sent);
    assert.equal((await point.index.read((on) => findPack(on, archive.number, pack.id)))?.rows, 2);
    assert.deepEqual(await device.has(session, id('a'), id('t')), [true, true]);
  });

  test('is refused when a single byte of it is wrong, and leaves nothing behind', async () => {
    const { point, archive, device, session } = await setUp();
    const pack = makePack(archive.id, [{ id: id('a') }, { id: id('t'), links: [id('a')] }]);
    const before = await objects(point);
    await fc.assert(
      fc.asyncProperty(fc.nat(pack.bytes.length - 1), fc.integer({ min: 1, max: 255 }), async (at, change) => {
        const bytes = pack.bytes.slice();
        bytes[at] = (bytes[at] as number) ^ change;
        await assert.rejects(device.putBytes(session, pack.id, bytes), code('pack_damaged'));
      }),
    );
    assert.deepEqual(await objects(point), before);
    assert.equal(await device.putBytes(session, pack.id, pack.bytes), 'stored');
  });

  test('is refused when it is cut off, goes on too long, or lies about its lengths', async () => {
    const { archive, device, session } = await setUp();
    const pack = makePack(archive.id, [{ id: id('a') }, { id: id('b') }]);
    const refuses = async (bytes: Uint8Array, packId = pack.id) =>
      assert.rejects(device.putBytes(session, packId, bytes), code('pack_damaged'));
    for (const length of [0, 27, 28, 60, pack.bytes.length - 1]) await refuses(pack.bytes.subarray(0, length));
    const longer = Buffer.concat([pack.bytes, Buffer.from('x')]);
    await refuses(longer);
    await refuses(longer, sha256(longer));
    const lying = pack.bytes.slice();
    new DataView(lying.buffer).setUint32(28 + 36, 0x7fffffff);
    await refuses(lying, sha256(lying));
    const shorter = pack.bytes.slice();
    new DataView(shorter.buffer).setUint32(28 + 36, 33);
    await refuses(shorter, sha256(shorter));
  });

  test('is refused when it belongs to another archive', async () => {
    const { device, session } = await setUp();
    const foreign = makePack(new Uint8Array(16).fill(9), [{ id: id('a') }]);
    await assert.rejects(device.putBytes(session, foreign.id, foreign.bytes), code('pack_damaged'));
  });

  test('may not link what only another archive has', async () => {
    const { point, device, session } = await setUp();
    const other = new Device(point, await testArchive(point, 2));
    await other.put(await other.open(), [{ id: id('a') }]);
    await assert.rejects(device.put(session, [{ id: id('t'), links: [id('a')] }]), code('links_missing'));
  });

  test('is refused in a session that has ended, and in one of another archive', async () => {
    const { point, device, session } = await setUp();
    const other = new Device(point, await testArchive(point, 2));
    await assert.rejects(other.put(session, [{ id: id('a') }]), code('session_ended'));
    await device.close(session);
    await assert.rejects(device.put(session, [{ id: id('a') }]), code('session_ended'));
  });

  test('whose session ends while it comes is refused for that, whatever has become of its links', async () => {
    const { point, archive, device, session } = await setUp();
    await device.put(session, [{ id: id('a') }]);
    const pack = makePack(archive.id, [{ id: id('t'), links: [id('a')] }]);
    async function* late() {
      yield pack.bytes.subarray(0, 50);
      await device.close(session);
      await point.index.write((on) => on.db.deleteFrom('chunks').execute());
      yield pack.bytes.subarray(50);
    }
    const upload = { archive, session: session.id, packId: pack.id, body: late() };
    await assert.rejects(receivePack(point, upload), code('session_ended'));
    assert.equal(point.metrics.counts.links_missing, undefined);
  });

  test('keeps its session alive for as long as it takes to come', async () => {
    const { point, archive, device, session } = await setUp();
    const pack = makePack(archive.id, [{ id: id('a'), size: 10_000 }]);
    async function* slowly() {
      for await (const piece of inPieces(pack.bytes, 2000)) {
        point.clock.now += HOUR / 2;
        await point.index.write((on) => endSilentSessions(on, archive.number, point.clock.now - HOUR, point.clock.now));
        yield piece;
      }
    }
    const upload = { archive, session: session.id, packId: pack.id, body: slowly() };
    assert.equal(await receivePack(point, upload), 'stored');
    assert.deepEqual(await device.has(session, id('a')), [true]);
  });

  test('waits for space and leaves none taken', async () => {
    const inner = new MemoryStore();
    const { point, archive, device, session } = await setUp({
      blobs: new FaultyStore(inner, { seed: 1, capacity: 300 }),
    });
    const large = makePack(archive.id, [{ id: id('a'), size: 5000 }]);
    await assert.rejects(device.putBytes(session, large.id, large.bytes), code('store_full'));
    assert.deepEqual(await objects(point), []);
    const roomy = { ...point, blobs: inner };
    const later = new Device(roomy, archive);
    assert.equal(await later.putBytes(await later.open(), large.id, large.bytes), 'stored');
  });

  test('makes condemned chunks present again, even where its bytes are here', async () => {
    const { point, archive, device, session } = await setUp();
    const pack = makePack(archive.id, [{ id: id('a') }]);
    await device.putBytes(session, pack.id, pack.bytes);
    const row = await point.index.read((on) => findPack(on, archive.number, pack.id));
    await point.index.write(async (on) => {
      await condemn(on, archive.number, [{ prefix: prefixOf(id('a')), pack: row?.number ?? 0 }], 2);
      await raiseEpoch(on, archive.number, 2);
    });
    const young = await device.open();
    assert.deepEqual(await device.has(session, id('a')), [true]);
    assert.deepEqual(await device.has(young, id('a')), [false]);
    await assert.rejects(device.put(young, [{ id: id('t'), links: [id('a')] }]), code('links_missing'));
    assert.equal(await device.putBytes(young, pack.id, pack.bytes), 'exists');
    assert.deepEqual(await device.has(young, id('a')), [true]);
  });

  test('takes the place of one that was found damaged, went missing or was retired', async () => {
    for (const state of [PACK_STATE.damaged, PACK_STATE.missing, PACK_STATE.retired]) {
      const { point, archive, device, session } = await setUp();
      const pack = makePack(archive.id, [{ id: id('a') }]);
      await device.putBytes(session, pack.id, pack.bytes);
      const row = await point.index.read((on) => findPack(on, archive.number, pack.id));
      const number = row?.number ?? 0;
      await point.index.write(async (on) => {
        await markLost(on, archive.number, [{ prefix: prefixOf(id('a')), pack: number }], 'damaged', 0);
        await updatePack(on, archive.number, number, { state });
      });
      await point.blobs.delete(packName(archive.id, pack.id));
      assert.deepEqual(await device.has(session, id('a')), [false]);
      assert.equal(await device.putBytes(session, pack.id, pack.bytes), 'stored');
      assert.deepEqual(await device.has(session, id('a')), [true]);
      assert.deepEqual(await point.blobs.get(packName(archive.id, pack.id)), pack.bytes);
    }
  });

  test('does not come back under a name that is just being deleted', async () => {
    for (const state of [PACK_STATE.deleting, PACK_STATE.gone]) {
      const { point, archive, device, session } = await setUp();
      const pack = makePack(archive.id, [{ id: id('a') }]);
      await device.putBytes(session, pack.id, pack.bytes);
      const row = await point.index.read((on) => findPack(on, archive.number, pack.id));
      await point.index.write((on) => updatePack(on, archive.number, row?.number ?? 0, { state }));
      await assert.rejects(device.putBytes(session, pack.id, pack.bytes), code('pack_retired'));
    }
  });

  test('is refused when something it links was lost while it was checked', async () => {
    const { point, archive, device, session } = await setUp();
    const data = await device.put(session, [{ id: id('a') }]);
    const row = await point.index.read((on) => findPack(on, archive.number, data));
    const key = { prefix: prefixOf(id('a')), pack: row?.number ?? 0 };
    const losing = Object.assign(Object.create(point.blobs), {
      writer: async () => {
        const writer = await point.blobs.writer();
        return {
          ...writer,
          commit: async (name: string) => {
            await point.index.write((on) => markLost(on, archive.number, [key], 'reported', 0));
            return writer.commit(name);
          },
        };
      },
    });
    const late = new Device({ ...point, blobs: losing }, archive);
    await assert.rejects(late.put(session, [{ id: id('t'), links: [id('a')] }]), code('links_missing'));
    assert.deepEqual(await device.has(session, id('t')), [false]);
  });
});

describe('a snapshot on its way in', () => {
  async function withRoot() {
    const all = await setUp();
    await all.device.put(all.session, [{ id: id('a') }, { id: id('t'), links: [id('a')] }]);
    return all;
  }

  test('is stored with a receipt that the server signed, and ends its session', async () => {
    const { point, archive, device, session } = await withRoot();
    const made = device.make(id('t'));
    const receipt = await device.commitMade(session, made);
    const { body, signature, signer } = decodeStatement(receipt);
    assert.deepEqual(signer, receipts.publicKey);
    assert.ok(verify(null, signedMessage(LABEL.receipt, body), publicKeyOf(signer), signature));
    const said = decodeReceipt(body);
    assert.deepEqual([said.snapshotId, said.archiveId, said.received], [made.id, archive.id, point.clock.now]);
    assert.deepEqual(await point.blobs.get(snapshotName(archive.id, made.id)), made.object);
    assert.deepEqual(await point.blobs.get(receiptName(archive.id, made.id)), receipt);
    await assert.rejects(device.has(session, id('a')), code('session_ended'));
  });

  test('may come again and gets the same receipt, in its ended session and in another', async () => {
    const { point, archive, device, session } = await withRoot();
    const made = device.make(id('t'));
    const receipt = await device.commitMade(session, made);
    point.clock.now += 1000;
    const again = (of: string) => repeatedCommit(point, { archive, session: of, snapshot: made });
    assert.deepEqual(await again(session.id), receipt);
    const other = await device.open();
    assert.deepEqual(await again(other.id), receipt);
    await assert.rejects(device.has(other, id('a')), code('session_ended'));
  });

  test('is refused without its root, and in an ended session', async () => {
    const { device, session } = await withRoot();
    await assert.rejects(device.commit(session, id('nowhere')), code('links_missing'));
    await device.close(session);
    await assert.rejects(device.commit(session, id('t')), code('session_ended'));
  });

  test('is refused when it is not this device’s own, not of this archive, not signed or not whole', async () => {
    const { archive, device, session } = await withRoot();
    const refusesToTake = (made: ReturnType<Device['make']>) =>
      assert.rejects(device.commitMade(session, made), code('snapshot_refused'));
    await refusesToTake(device.make(id('t'), { deviceId: new Uint8Array(16).fill(99) }));
    await refusesToTake(device.make(id('t'), { archiveId: new Uint8Array(16).fill(99) }));
    await refusesToTake(device.make(id('t'), { descriptionHash: id('other') }));
    await refusesToTake(makeSnapshot(newKeys(), { archiveId: archive.id, deviceId: device.id, root: id('t') }));
    const good = device.make(id('t'));
    await refusesToTake({ ...good, object: good.object.subarray(0, good.object.length - 1) });
    await refusesToTake({ ...good, object: Buffer.from('no CBOR') });
    await device.commitMade(session, good);
  });

  test('is refused when any byte of it is changed, but for the MAC, which only the archive’s keys can judge', async () => {
    const { archive, device } = await withRoot();
    const { object } = device.make(id('t'));
    const macAt = Buffer.from(object).indexOf(decodeSnapshotObject(object).mac);
    const committer = {
      archiveId: archive.id,
      deviceId: device.id,
      async *deviceKeys() {
        yield device.keys.publicKey;
      },
    };
    await checkSnapshot(object, committer);
    await fc.assert(
      fc.asyncProperty(fc.nat(object.length - 1), fc.integer({ min: 1, max: 255 }), async (at, change) => {
        fc.pre(at < macAt || at >= macAt + 32);
        const changed = object.slice();
        changed[at] = (changed[at] as number) ^ change;
        await assert.rejects(checkSnapshot(changed, committer), code('snapshot_refused'));
      }),
    );
  });

  test('of a chain with another head is taken and flagged as a fork', async () => {
    const { point, archive, device, session } = await withRoot();
    const first = await device.commit(session, id('t'));
    const clone = device.make(id('t'), { deviceTime: 1 });
    await device.commit(await device.open(), id('t'));
    await device.commitMade(await device.open(), clone);
    const forked = async (of: Uint8Array) =>
      (await point.index.write((on) => findSnapshot(on, archive.number, of)))?.forked;
    assert.equal(await forked(first.id), 0);
    assert.equal(await forked(clone.id), 1);
    assert.equal(point.metrics.counts.snapshots_forked, 1);
    assert.equal(point.metrics.counts.snapshots_committed, 3);
  });

  test('takes the label off its root, so that collect finds what it needs whatever becomes of it', async () => {
    const { point, archive, device, session } = await withRoot();
    const keys = ['a', 't'].map((name) => ({ prefix: prefixOf(id(name)), pack: 1 }));
    await point.index.write((on) => condemn(on, archive.number, keys, 2));
    await device.commit(session, id('t'));
    const { labels } = await point.index.read(async (on) => ({
      labels: await on.db.selectFrom('chunks').select(['prefix', 'label']).execute(),
    }));
    const labelOf = (name: string) => labels.find((row) => Buffer.compare(row.prefix, prefixOf(id(name))) === 0)?.label;
    assert.deepEqual([labelOf('t'), labelOf('a')], [0, 2]);
  });

  test('whose acknowledgement was cut off counts as stored only after it came again', async () => {
    const { point, archive, device, session } = await withRoot();
    const made = device.make(id('t'));
    const broken = {
      ...point,
      blobs: Object.assign(Object.create(point.blobs), {
        put: async (name: string, bytes: Uint8Array) => {
          await point.blobs.put(name, bytes);
          if (name === snapshotName(archive.id, made.id)) throw new Error('the power is cut');
        },
      }),
    };
    const cut = Object.assign(Object.create(device), { point: broken }) as Device;
    await assert.rejects(cut.commitMade(session, made), /the power is cut/);
    const state = async () => (await point.index.write((on) => findSnapshot(on, archive.number, made.id)))?.state;
    assert.equal(await state(), SNAPSHOT_STATE.pending);
    await device.commitMade(session, made);
    assert.equal(await state(), SNAPSHOT_STATE.committed);
  });

  test('of nothing is taken: its root is a tree without links', async () => {
    const { device, session } = await setUp();
    await device.put(session, [{ id: id('empty'), kind: KIND.tree }]);
    await device.commit(session, id('empty'));
  });
});
