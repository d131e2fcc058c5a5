import assert from 'node:assert/strict';
import { verify } from 'node:crypto';
import { describe, test } from 'node:test';
import { decodeStatement, LABEL, signedMessage } from '@holdfast/archive/format/statement.ts';
import { decodeTombstone } from '@holdfast/archive/format/tombstone.ts';
import { unexplainedTombstones } from '@holdfast/archive/retention/explain.ts';
import { DEFAULT_RETENTION, type RetentionPolicyJson } from '@holdfast/archive/retention/policy.ts';
import { policyName } from '@holdfast/archive/store/layout.ts';
import { committedSnapshots } from '../index/snapshots.ts';
import { publicKeyOf } from '../public-key.ts';
import { id } from '../testing/made.ts';
import { Site } from '../testing/site.ts';
import { DAY, receipts } from '../testing/test-point.ts';
import { type ArchivePolicy, nextPolicy } from './policy.ts';

const MINUTE = 60_000;
const data = (...names: string[]) => names.map((name) => ({ id: id(name) }));
const tree = (name: string, ...links: string[]) => ({ id: id(name), links: links.map(id) });

const everyHour: RetentionPolicyJson = { steps: [{ everyMinutes: 60, untilDays: null }] };
const everyDay: RetentionPolicyJson = { steps: [{ everyMinutes: 24 * 60, untilDays: null }] };

/** A snapshot every `minutes`, `count` times. */
async function history(site: Site, count: number, minutes: number, partial = false) {
  for (let i = 0; i < count; i++) {
    const session = await site.device.open();
    await site.device.put(session, [...data('a'), tree('t', 'a')]);
    await site.device.commit(session, id('t'), { partial });
    await site.laterBy(minutes * MINUTE);
  }
}

const kept = (site: Site) => site.point.index.read((on) => committedSnapshots(on, site.archive.number));

async function tombstones(site: Site) {
  const names = await site.objects(`archives/${site.archive.id.toHex()}/tombstones/`);
  return Promise.all(
    names.map(async (name) => {
      const { body, signature, signer } = decodeStatement(await site.blobs.get(name));
      assert.deepEqual(signer, receipts.publicKey);
      assert.ok(verify(null, signedMessage(LABEL.tombstone, body), publicKeyOf(signer), signature));
      return decodeTombstone(body);
    }),
  );
}

describe('retention', () => {
  test('thins by the time of receipt, and every device can explain what is gone', async () => {
    const site = await Site.make();
    await history(site, 30, 7);
    await site.maintain('retention');
    const left = await kept(site);
    assert.ok(left.length < 20 && left.length > 12);
    assert.equal(site.result().retired, 30 - left.length);
    const gone = await tombstones(site);
    assert.equal(gone.length, 30 - left.length);
    const text = (bytes: Uint8Array) => bytes.toHex();
    const unexplained = unexplainedTombstones(
      left.map((s) => ({
        id: text(s.id),
        deviceId: text(s.device),
        setId: text(s.backup_set),
        destinationId: text(s.destination),
        sequence: s.sequence,
        receivedAt: s.received,
        partial: s.partial === 1,
      })),
      gone.map((t) => ({
        id: text(t.snapshotId),
        deviceId: text(t.deviceId),
        setId: text(t.setId),
        destinationId: text(t.destinationId),
        sequence: t.sequence,
        receivedAt: t.received,
        partial: false,
        reason: t.reason,
        retiredAt: t.retired,
      })),
      DEFAULT_RETENTION,
    );
    assert.deepEqual(unexplained, []);
    const objects = await site.objects(`archives/${site.archive.id.toHex()}/`);
    assert.equal(objects.filter((name) => name.includes('/snapshots/')).length, left.length);
    assert.equal(objects.filter((name) => name.includes('/receipts/')).length, left.length);
  });

  test('pushes nothing out for snapshots that a laptop dates back or forth', async () => {
    const [honest, attacked] = [await Site.make(), await Site.make()];
    const leftOf = async (site: Site) => {
      await site.maintain('retention');
      return (await kept(site)).map(({ sequence }) => sequence);
    };
    for (const [site, times] of [
      [honest, [undefined]],
      [attacked, [0, 1, Date.UTC(2020, 0, 1), Date.UTC(2100, 0, 1)]],
    ] as const) {
      await history(site, 10, 60);
      for (let i = 0; i < 8; i++) {
        const session = await site.device.open();
        await site.device.put(session, [...data('b'), tree('u', 'b')]);
        const deviceTime = times[i % times.length];
        await site.device.commit(session, id('u'), deviceTime === undefined ? {} : { deviceTime });
        await site.laterBy(MINUTE);
      }
    }
    const left = await leftOf(attacked);
    assert.deepEqual(left, await leftOf(honest));
    for (let sequence = 1; sequence <= 10; sequence++)
      assert.ok(left.includes(sequence), `the history holds ${sequence}`);
  });

  test('drops a partial snapshot when a later whole one is there', async () => {
    const site = await Site.make();
    await history(site, 2, 5, true);
    await history(site, 1, 5);
    await site.maintain('retention');
    assert.deepEqual(
      (await kept(site)).map(({ sequence }) => sequence),
      [3],
    );
    assert.deepEqual(
      (await tombstones(site)).map(({ reason }) => reason),
      ['partial', 'partial'],
    );
  });

  test('drops tombstones after a month', async () => {
    const site = await Site.make();
    await history(site, 3, 1);
    await site.maintain('retention');
    assert.equal((await tombstones(site)).length, 2);
    await site.laterBy(29 * DAY);
    await site.maintain('retention');
    assert.equal((await tombstones(site)).length, 2);
    await site.laterBy(2 * DAY);
    await site.maintain('retention');
    assert.deepEqual([site.result().tombstonesDropped, (await tombstones(site)).length], [2, 0]);
  });

  test('ends what an earlier run began, and drops snapshots that nobody was told of', async () => {
    const site = await Site.make();
    await history(site, 3, 1);
    let deletions = 0;
    const blobs = Object.assign(Object.create(site.blobs), {
      delete: async (name: string) => {
        if (++deletions === 2) throw new Error('the power is cut');
        await site.blobs.delete(name);
      },
    });
    assert.equal((await new Site({ ...site.point, blobs }, site.archive).maintain('retention')).failed, 1);
    await site.maintain('retention');
    assert.equal((await kept(site)).length, 1);
    assert.equal((await site.objects(`archives/${site.archive.id.toHex()}/snapshots/`)).length, 1);
    assert.equal((await tombstones(site)).length, 2);
  });

  test('is off after a rebuild of the index until an administrator turns it on, and so is collect', async () => {
    const site = await Site.make();
    await history(site, 3, 1);
    await site.backUp([data('dead')]);
    await site.laterBy();
    await site.point.index.write((on) => on.db.updateTable('archives').set({ suspended: 1 }).execute());
    assert.equal((await site.maintain('retention')).skipped, 1);
    assert.equal((await site.maintain('collect')).skipped, 1);
    assert.equal((await kept(site)).length, 3);
    assert.deepEqual(await site.present(id('dead')), [true]);
    await site.maintain('all', true);
    assert.equal((await kept(site)).length, 1);
    assert.deepEqual(await site.present(id('dead')), [false]);
  });
});

describe('the policy of an archive', () => {
  let wanted: ArchivePolicy | null = { default: everyHour };
  const siteWithPolicy = () => Site.make({}, async () => wanted);

  test('acts at once when it keeps more, and after a week when it keeps less', async () => {
    wanted = { default: everyHour };
    const site = await siteWithPolicy();
    await history(site, 5, 60);
    await site.maintain('retention');
    assert.equal((await kept(site)).length, 5);
    wanted = { default: everyDay };
    await site.maintain('retention');
    assert.equal((await kept(site)).length, 5, 'only announced');
    const stored = JSON.parse(Buffer.from(await site.blobs.get(policyName(site.archive.id))).toString());
    assert.deepEqual(stored.announced.policy, wanted);
    await site.laterBy(6 * DAY);
    await site.maintain('retention');
    assert.equal((await kept(site)).length, 5);
    await site.laterBy(DAY);
    await site.maintain('retention');
    assert.equal((await kept(site)).length, 1);
  });

  test('that is taken back before it acts never acts', () => {
    const [hourly, daily] = [{ default: everyHour }, { default: everyDay }];
    const announced = { inForce: hourly, announced: { policy: daily, since: 0 } };
    assert.deepEqual(nextPolicy(announced, hourly, [], DAY), { inForce: hourly });
  });

  test('holds when nobody is there to say, as at the last run', async () => {
    wanted = { default: everyDay };
    const site = await siteWithPolicy();
    await history(site, 2, 60);
    await site.maintain('retention');
    await history(site, 2, 60);
    wanted = null;
    await site.maintain('retention');
    assert.equal((await kept(site)).length, 1);
  });

  test('can differ between sets, and a hold keeps what it covers', async () => {
    wanted = { default: everyDay, sets: { ['03'.repeat(16)]: everyHour } };
    const site = await siteWithPolicy();
    await history(site, 3, 60);
    await site.maintain('retention');
    assert.equal((await kept(site)).length, 3, 'the device backs up set 03...');
    const held = (await kept(site))[0]?.id.toHex() ?? '';
    wanted = { default: everyDay, holds: [{ snapshotId: held }] };
    await site.maintain('retention');
    await site.laterBy(8 * DAY);
    await site.maintain('retention');
    const left = await kept(site);
    assert.deepEqual([left.length, left[0]?.id.toHex()], [2, held]);
  });

  test('that cannot be read retires nothing', async () => {
    wanted = { default: { steps: [] } };
    const site = await siteWithPolicy();
    await history(site, 3, 1);
    assert.equal((await site.maintain('retention')).failed, 1);
    assert.equal((await kept(site)).length, 3);
    wanted = null;
    await site.blobs.put(policyName(site.archive.id), Buffer.from('{"inForce'));
    assert.equal((await site.maintain('retention')).failed, 1);
    assert.equal((await kept(site)).length, 3);
  });

  test('with a hold that does not say what was meant retires nothing, and names it', async () => {
    const failures = (site: Site) =>
      site.events.flatMap((event) => (event.kind === 'failed' ? [(event.error as Error).message] : []));
    wanted = null;
    const site = await siteWithPolicy();
    await history(site, 3, 1);
    for (const [policy, names] of [
      [
        { inForce: { default: everyDay, holds: [{ snapshotID: '00'.repeat(32) }] } },
        /^holds\[0\]\.snapshotID is unknown/,
      ],
      [{ inForce: { default: everyDay, hold: [] } }, /^inForce\.hold is unknown/],
      [{ inForce: { default: everyDay, holds: 'all' } }, /^holds is no list/],
      [{ inForce: { sets: { Home: everyDay } } }, /^inForce\.sets has "Home"/],
      [{ inForce: {}, announced: { policy: { holds: [{ from: 'now' }] }, since: 0 } }, /^holds\[0\]\.from is "now"/],
    ] as const) {
      await site.blobs.put(policyName(site.archive.id), Buffer.from(JSON.stringify(policy)));
      await site.maintain('retention');
      assert.match(failures(site)[0] ?? 'nothing failed', names);
      assert.equal((await kept(site)).length, 3);
    }
    await site.blobs.delete(policyName(site.archive.id));
    wanted = { default: everyDay, holds: [{ deviceId: 'all' }] };
    await site.maintain('retention');
    assert.match(failures(site)[0] ?? 'nothing failed', /^holds\[0\]\.deviceId is "all"/);
    assert.equal((await kept(site)).length, 3);
  });
});
