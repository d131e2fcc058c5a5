// Rot in everything that is no pack: each kind of object of a store point (format §7).

import assert from 'node:assert/strict';
import { randomFillSync } from 'node:crypto';
import { before, describe, test } from 'node:test';
import { sealToPassphrase, sealToRecipient } from '@holdfast/archive/keys/age-file.ts';
import { emptyDeviceList, signDeviceList, withDevice } from '@holdfast/archive/keys/device-list.ts';
import { generateIdentity } from '@holdfast/archive/keys/identity.ts';
import {
  archivePrefix,
  identityName,
  parseName,
  policyName,
  receiptName,
  snapshotName,
  tombstoneName,
} from '@holdfast/archive/store/layout.ts';
import fc from 'fast-check';
import { indexWarnings } from '../index/troubles.ts';
import { removeSnapshotObjects, repeatedCommit } from '../ingest/commit-snapshot.ts';
import { putDeviceList, putIdentityWrap, putKeyFile } from '../objects/small-objects.ts';
import { makeTombstone } from '../receipts.ts';
import { id, type MadeSnapshot } from '../testing/made.ts';
import { Site } from '../testing/site.ts';

describe('verify of what is no pack', () => {
  let site: Site;
  let snapshot: MadeSnapshot;
  let names: string[];

  before(async () => {
    site = await Site.make({}, async () => ({ default: { steps: [{ everyMinutes: 1, untilDays: null }] } }));
    snapshot = (await site.backUp([[{ id: id('root'), links: [] }]], id('root'))) as MadeSnapshot;
    const { blobs, archive } = site;
    const identity = await generateIdentity((target) => randomFillSync(target));
    const sealed = await sealToRecipient(Buffer.from('keys'), identity.recipient);
    await putKeyFile(blobs, archive.id, `00001-${'ab'.repeat(16)}.age`, sealed);
    await putIdentityWrap(blobs, archive.id, `${'ab'.repeat(16)}.age`, sealed);
    await putIdentityWrap(
      blobs,
      archive.id,
      'passphrase.age',
      await sealToPassphrase(Buffer.from('x'), 'correct horse'),
    );
    const device = { deviceId: site.device.id, publicKey: site.device.keys.publicKey, recipient: identity.recipient };
    const list = withDevice(emptyDeviceList(archive.id), { ...device, name: 'laptop', added: 5 });
    await putDeviceList(blobs, archive.id, 1, await signDeviceList({ ...list, counter: 1 }, identity.signing));
    const retired = {
      snapshotId: id('gone'),
      sequence: 1,
      received: 1,
      reason: 'retention',
      retired: site.point.now(),
    };
    const ofChain = {
      archiveId: archive.id,
      deviceId: site.device.id,
      setId: id('s').subarray(16),
      destinationId: id('d').subarray(16),
    };
    await blobs.put(
      tombstoneName(archive.id, id('gone')),
      await makeTombstone(site.point, { ...ofChain, ...retired } as never),
    );
    await site.maintain('retention');
    await site.maintain('verify');
    assert.deepEqual(site.alerts, []);
    names = (await site.objects()).filter((name) => parseName(name)?.kind !== 'pack');
  });

  const damage = async (name: string, at: number, change: number) => {
    const whole = await site.blobs.get(name);
    const where = at % whole.length;
    await site.blobs.put(name, whole.with(where, (whole[where] as number) ^ change));
    return whole;
  };
  const alert = () => {
    const found = site.events.find((event) => event.kind === 'alert' && event.alert === 'objects_damaged');
    return found?.kind === 'alert'
      ? (found.data as { objects: { name: string }[]; devices: string[]; snapshots: { id: string }[] })
      : null;
  };
  const warns = async () => (await site.point.index.read(indexWarnings)).includes('objects_damaged');

  test('is about each kind of object', () => {
    const kinds = new Set(names.map((name) => parseName(name)?.kind));
    const all = ['snapshot', 'receipt', 'tombstone', 'keyFile', 'identity', 'deviceList', 'policy'];
    assert.deepEqual([...kinds].sort(), all.sort());
  });

  test('finds any flipped byte, names the object and whose snapshots it may hit, until it is as it was', async () => {
    const unsigned = names.filter((name) => parseName(name)?.kind !== 'receipt');
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom(...unsigned),
        fc.nat(),
        fc.integer({ min: 1, max: 255 }),
        async (name, at, change) => {
          const whole = await damage(name, at, change);
          await site.maintain('verify');
          const said = alert();
          assert.deepEqual(
            said?.objects.map((each) => archivePrefix(site.archive.id) + each.name),
            [name],
          );
          if (parseName(name)?.kind !== 'tombstone') {
            assert.deepEqual(
              said?.snapshots.map((each) => each.id),
              [snapshot.id.toHex()],
            );
            assert.deepEqual(said?.devices, [site.device.id.toHex()]);
          }
          assert.ok(await warns());
          await site.blobs.put(name, whole);
          await site.maintain('verify');
          assert.deepEqual([site.alerts, await warns()], [[], false]);
        },
      ),
      { numRuns: 60 },
    );
  });

  test('finds one that is gone', async () => {
    for (const name of names.filter((each) => /keys|policy/.test(each))) {
      const whole = await site.blobs.get(name);
      await site.blobs.delete(name);
      await site.maintain('verify');
      assert.deepEqual(
        alert()?.objects.map((each) => archivePrefix(site.archive.id) + each.name),
        [name],
      );
      await site.blobs.put(name, whole);
    }
  });

  test('makes a receipt again that decayed or is gone: it says the same', async () => {
    const name = receiptName(site.archive.id, snapshot.id);
    const whole = await damage(name, 40, 1);
    await site.maintain('verify');
    assert.deepEqual([site.result()['receiptsMade'], site.alerts], [1, []]);
    assert.deepEqual(await site.blobs.get(name), whole);
    await site.blobs.delete(name);
    await site.maintain('verify');
    assert.deepEqual(await site.blobs.get(name), whole);
  });

  test('is over for a snapshot that its device offers again, and for no other bytes', async () => {
    const name = snapshotName(site.archive.id, snapshot.id);
    const offer = (object: Uint8Array) =>
      repeatedCommit(site.point, {
        archive: site.archive,
        session: 'none',
        snapshot: { ...snapshot, object } as never,
      });
    const whole = await damage(name, snapshot.object.length - 3, 1);
    const rotten = await site.blobs.get(name);
    await offer(snapshot.object.with(100, (snapshot.object[100] as number) ^ 1));
    assert.deepEqual(await site.blobs.get(name), rotten, 'a device replaces nothing by something else');
    await offer(snapshot.object);
    assert.deepEqual(await site.blobs.get(name), whole);
    await site.maintain('verify');
    assert.deepEqual(site.alerts, []);
  });

  test('takes nothing for gone that was rightly taken away: a snapshot that is just retired, a wrap at a raised key level', async () => {
    const other = await Site.make();
    const made = (await other.backUp([[{ id: id('r') }]], id('r'))) as MadeSnapshot;
    const wrap = identityName(other.archive.id, `${'ab'.repeat(16)}.age`);
    const sealed = await site.blobs.get(identityName(site.archive.id, `${'ab'.repeat(16)}.age`));
    await other.blobs.put(wrap, sealed);
    await other.maintain('verify');
    for (const name of [wrap, snapshotName(other.archive.id, made.id)]) {
      await other.blobs.delete(name);
      await other.maintain('verify');
      assert.deepEqual(other.alerts, [], name);
    }
    await other.blobs.put(wrap, await site.blobs.get(identityName(site.archive.id, 'passphrase.age')));
    await other.maintain('verify');
    assert.deepEqual(other.alerts, [], 'another one may come under its name');
  });

  test('takes no policy for damaged that is replaced meanwhile', async () => {
    const rule = (everyMinutes: number) => ({ default: { steps: [{ everyMinutes, untilDays: null }] } });
    let minutes = 2;
    const other = await Site.make({}, async () => rule(minutes));
    const name = policyName(other.archive.id);
    for (const job of ['retention', 'verify'] as const) await other.maintain(job);
    minutes = 1;
    const blobs = Object.assign(Object.create(other.blobs), {
      get: async (...args: Parameters<typeof other.blobs.get>) => {
        if (args[0] === name && minutes === 1) {
          minutes = 0; // once
          await new Site(other.point, other.archive, async () => rule(1)).maintain('retention');
        }
        return other.blobs.get(...args);
      },
    });
    const beside = new Site({ ...other.point, blobs }, other.archive);
    await beside.maintain('verify');
    assert.deepEqual(beside.alerts, []);
    await other.maintain('verify');
    assert.deepEqual(other.alerts, []);
  });

  test('takes no policy for damaged that was read while a run replaced it which died before it noted the new one', async () => {
    const rule = (everyMinutes: number) => ({ default: { steps: [{ everyMinutes, untilDays: null }] } });
    const other = await Site.make({}, async () => rule(2));
    await other.maintain('retention');
    const blobs = Object.assign(Object.create(other.blobs), {
      put: async (...args: Parameters<typeof other.blobs.put>) => {
        await other.maintain('verify');
        await other.blobs.put(...args);
        throw new Error('it dies');
      },
    });
    const dying = new Site({ ...other.point, blobs }, other.archive, async () => rule(1));
    assert.equal((await dying.maintain('retention')).failed, 1);
    const name = policyName(other.archive.id);
    const written = await other.blobs.get(name);
    for (const job of ['verify', 'retention', 'verify'] as const) {
      await new Site(other.point, other.archive, async () => rule(1)).maintain(job);
      await other.maintain('verify');
      assert.deepEqual(other.alerts, [], job);
    }
    await other.blobs.put(name, Buffer.from(Buffer.from(written).toString().replace('1', '3')));
    await other.maintain('verify');
    assert.deepEqual(other.alerts, ['objects_damaged'], 'the next run of retention has noted it');
  });

  test('makes no receipt for a snapshot that is retired meanwhile', async () => {
    const other = await Site.make();
    const made = (await other.backUp([[{ id: id('r') }]], id('r'))) as MadeSnapshot;
    const name = receiptName(other.archive.id, made.id);
    await other.blobs.delete(name);
    const blobs = Object.assign(Object.create(other.blobs), {
      put: async (...args: Parameters<typeof other.blobs.put>) => {
        if (args[0] === name) await removeSnapshotObjects(other.point, other.archive, made.id);
        return other.blobs.put(...args);
      },
    });
    await new Site({ ...other.point, blobs }, other.archive).maintain('verify');
    assert.equal(await other.blobs.stat(name), null);
  });
});
