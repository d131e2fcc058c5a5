import assert from 'node:assert/strict';
import { randomFillSync } from 'node:crypto';
import { before, describe, it } from 'node:test';
import type { ArchiveEndpoint, StoredSnapshot } from '../endpoint/endpoint.ts';
import { type ArchiveFixture, makeArchiveFixture } from '../endpoint/testing/archive-fixture.ts';
import { encodeReceipt } from '../format/receipt.ts';
import type { Envelope } from '../format/snapshot.ts';
import { LABEL } from '../format/statement.ts';
import { encodeTombstone } from '../format/tombstone.ts';
import { type DeviceList, signDeviceList, withoutDevice } from '../keys/device-list.ts';
import { generateIdentity } from '../keys/identity.ts';
import { type SigningKey, signingKey } from '../keys/signing.ts';
import type { SealedSnapshot } from '../keys/snapshot.ts';
import { makeStatement } from '../keys/statement.ts';
import { openArchive, type SnapshotInfo } from './archive-reader.ts';

const HOUR = 3_600_000;
const T0 = 1_700_000_000_000;
const newKey = () => signingKey(randomFillSync(new Uint8Array(32)));

type World = {
  readonly fixture: ArchiveFixture;
  readonly devices: DeviceList;
  readonly user: SigningKey;
  readonly server: SigningKey;
};

describe('the snapshots of an archive', () => {
  let world: World;
  before(async () => {
    const fixture = await makeArchiveFixture();
    const { recipient } = await generateIdentity(randomFillSync);
    const devices = {
      ...fixture.devices,
      devices: fixture.devices.devices.map((device) => ({ ...device, recipient })),
    };
    world = { fixture, devices, user: await newKey(), server: await newKey() };
  });

  const snapshot = (fields: Partial<Envelope> = {}): Promise<SealedSnapshot> =>
    world.fixture.snapshot(world.fixture.tree({ 'a.txt': world.fixture.bundle('hello') }), {
      deviceTime: T0,
      ...fields,
    });

  const receipt = (id: Uint8Array, received: number, signer = world.server) =>
    makeStatement(
      LABEL.receipt,
      encodeReceipt({ archiveId: world.fixture.archiveId, snapshotId: id, received, serverId: new Uint8Array(16) }),
      signer,
    );

  const received = async (sealed: SealedSnapshot, at: number): Promise<StoredSnapshot> => ({
    id: sealed.id,
    object: sealed.object,
    receipt: await receipt(sealed.id, at),
  });

  async function open(
    stored: readonly StoredSnapshot[],
    options: { lists?: Uint8Array[]; tombstones?: Uint8Array[]; seenCounter?: number } = {},
  ) {
    const { fixture, devices, user, server } = world;
    const lists = options.lists ?? [await signDeviceList(devices, user)];
    const endpoint: Pick<ArchiveEndpoint, 'archiveId' | 'deviceLists' | 'snapshots' | 'tombstones'> = {
      archiveId: fixture.archiveId,
      deviceLists: async () => lists.map((bytes, i) => ({ name: `${i}`, bytes })),
      snapshots: async () => [...stored],
      tombstones: async () => options.tombstones ?? [],
    };
    const trust = { identities: [user.publicKey], servers: [server.publicKey], seenCounter: options.seenCounter ?? 0 };
    const reader = await openArchive(endpoint, fixture.keys, trust);
    const { snapshots, refused } = await reader.listSnapshots();
    return { reader, snapshots, refused };
  }

  const problems = (snapshots: readonly SnapshotInfo[]) => snapshots.map((each) => each.problems);

  it('come oldest first, with what they say about themselves and when they arrived', async () => {
    const first = await snapshot();
    const second = await snapshot({ sequence: 2, parent: first.id, deviceTime: T0 + HOUR });
    const { snapshots, refused } = await open([await received(second, T0 + HOUR + 5), await received(first, T0 + 5)]);
    assert.deepEqual(refused, []);
    assert.deepEqual(problems(snapshots), [[], []]);
    assert.deepEqual(
      snapshots.map(({ id }) => id),
      [first.id, second.id],
    );
    assert.deepEqual(
      snapshots.map(({ receivedAt }) => receivedAt),
      [T0 + 5, T0 + HOUR + 5],
    );
    assert.equal(snapshots[0]?.description.deviceName, 'laptop');
    assert.equal(snapshots[0]?.device.name, 'laptop');
  });

  it('are refused, and hide no other, when they were changed or made by a stranger', async () => {
    const good = await snapshot();
    const changed = good.object.slice();
    changed[40] = (changed[40] as number) ^ 1;
    const stranger = await makeArchiveFixture();
    const foreign = await stranger.snapshot(stranger.tree({}));
    const posing = await snapshot({ deviceId: new Uint8Array(16).fill(9) });
    const older = await snapshot({ deviceTime: T0 - HOUR });
    const stored = [changed, foreign.object, posing.object, new Uint8Array(3), older.object, null].map((object, i) => ({
      id: i === 1 ? foreign.id : new Uint8Array(32).fill(i),
      object,
      receipt: null,
    }));
    const { snapshots, refused } = await open([...stored, await received(good, T0)]);
    assert.deepEqual(
      snapshots.map(({ id }) => id),
      [good.id],
    );
    const found = refused.map(({ id, error, envelope }) => [id[0], error.code, envelope !== null]);
    assert.deepEqual(found.slice(1), [
      [foreign.id[0], 'wrong_archive', true],
      [2, 'device_unknown', false],
      [3, 'format_invalid', false],
      [4, 'format_invalid', false],
      [5, 'blob_missing', false],
    ]);
    assert.equal(refused.length, 6);
  });

  it('say when no server vouches for their time', async () => {
    const one = await snapshot();
    const other = await snapshot({ setId: new Uint8Array(16).fill(1) });
    const third = await snapshot({ setId: new Uint8Array(16).fill(2) });
    const { snapshots } = await open([
      { id: one.id, object: one.object, receipt: null },
      { id: other.id, object: other.object, receipt: await receipt(other.id, T0 - 9 * HOUR, await newKey()) },
      { id: third.id, object: third.object, receipt: await receipt(one.id, T0 - 9 * HOUR) },
    ]);
    assert.deepEqual(problems(snapshots).map(String).sort(), ['receipt_invalid', 'receipt_invalid', 'receipt_missing']);
    for (const { at, receivedAt } of snapshots) assert.deepEqual([at, receivedAt], [T0, null]);
  });

  it('say when a clock was wrong: against the server, or against itself', async () => {
    const first = await snapshot();
    const second = await snapshot({ sequence: 2, parent: first.id, deviceTime: T0 - 5 * HOUR });
    const { snapshots } = await open([await received(first, T0), await received(second, T0 + 60_000)]);
    assert.deepEqual(problems(snapshots), [[], ['clock_off', 'clock_backwards']]);
  });

  it('say when their chain has a gap that no tombstone explains, or forks', async () => {
    const first = await snapshot();
    const second = await snapshot({ sequence: 2, parent: first.id });
    const fork = await snapshot({ sequence: 2, parent: first.id, deviceTime: T0 + 1 });
    const third = await snapshot({ sequence: 3, parent: second.id });
    const gap = await open([await received(third, T0)]);
    assert.deepEqual(problems(gap.snapshots), [['parent_missing']]);
    const { archiveId, deviceId, setId, destinationId } = world.fixture;
    const body = encodeTombstone({
      archiveId,
      snapshotId: second.id,
      deviceId,
      setId,
      destinationId,
      sequence: 2,
      received: T0,
      reason: 'retention',
      retired: T0,
    });
    const explained = await open([await received(third, T0)], {
      tombstones: [await makeStatement(LABEL.tombstone, body, world.server)],
    });
    assert.deepEqual(problems(explained.snapshots), [[]]);
    const invented = await open([await received(third, T0)], {
      tombstones: [await makeStatement(LABEL.tombstone, body, await newKey())],
    });
    assert.deepEqual(problems(invented.snapshots), [['parent_missing']]);
    const forked = await open([
      await received(first, T0),
      await received(second, T0 + 1),
      await received(fork, T0 + 2),
    ]);
    assert.deepEqual(problems(forked.snapshots), [[], ['fork'], ['fork']]);
  });

  it('stay readable after their device was removed, and say so when they came later', async () => {
    const { fixture, devices, user } = world;
    const removed = await signDeviceList(withoutDevice(devices, fixture.deviceId, T0 + HOUR), user);
    const first = await snapshot();
    const second = await snapshot({ sequence: 2, parent: first.id, deviceTime: T0 + 2 * HOUR });
    const { snapshots } = await open([await received(first, T0), await received(second, T0 + 2 * HOUR)], {
      lists: [removed],
    });
    assert.deepEqual(problems(snapshots), [[], ['device_removed']]);
  });

  it('are not read with a device list of a stranger, or one older than was seen', async () => {
    const { devices } = world;
    const stranger = await signDeviceList({ ...devices, counter: 99 }, await newKey());
    await assert.rejects(open([], { lists: [stranger] }), { code: 'device_list_missing' });
    await assert.rejects(open([], { seenCounter: 7 }), { code: 'device_list_older' });
    const both = await open([], { lists: [stranger, await signDeviceList(devices, world.user)] });
    assert.equal(both.reader.devices.counter, 1);
    assert.deepEqual(
      both.reader.refusedLists.map(({ error }) => error.code),
      ['signer_untrusted'],
    );
  });
});
