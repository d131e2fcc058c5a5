// Reconcile, verify, and what becomes of what is lost.

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { snapshotName } from '@holdfast/archive/store/layout.ts';
import fc from 'fast-check';
import { hasLosses } from '../index/lost.ts';
import { announcePack } from '../index/packs.ts';
import { PACK_STATE } from '../index/tables.ts';
import { indexWarnings } from '../index/troubles.ts';
import { reportLost } from '../reads/questions.ts';
import { id, makePack } from '../testing/made.ts';
import { Site } from '../testing/site.ts';
import { compareLists, type Difference, isTooDifferent } from './reconcile.ts';

const tree = (name: string, ...links: string[]) => ({ id: id(name), links: links.map(id) });
const data = (...names: string[]) => names.map((name) => ({ id: id(name) }));

/** `a` and `b` in packs of their own, `t` above `a`, `u` above `b`, `root` above both, and some packs beside. */
async function backedUp() {
  const site = await Site.make();
  const session = await site.device.open();
  const a = await site.device.put(session, data('a'));
  const b = await site.device.put(session, data('b'));
  const t = await site.device.put(session, [tree('t', 'a')]);
  const u = await site.device.put(session, [tree('u', 'b')]);
  const root = await site.device.put(session, [tree('root', 't', 'u')]);
  for (const name of ['p', 'q']) await site.device.put(session, data(name));
  const snapshot = await site.device.commit(session, id('root'));
  return { site, packs: { a, b, t, u, root }, snapshot };
}

const ALL = ['a', 'b', 't', 'u', 'root'].map(id);

describe('the comparison of two lists', () => {
  test('finds exactly what only one of them has', async () => {
    const states = fc.constantFrom(...Object.values(PACK_STATE));
    const packs = fc.uniqueArray(fc.integer({ min: 0, max: 60 }), { maxLength: 30 });
    await fc.assert(
      fc.asyncProperty(packs, packs, fc.array(states, { minLength: 61, maxLength: 61 }), async (left, right, state) => {
        const stored = left.sort((x, y) => x - y).map((n) => ({ id: Uint8Array.of(n), size: 1, modified: 0 }));
        const indexed = right
          .sort((x, y) => x - y)
          .map((n) => ({ id: Uint8Array.of(n), size: 1, number: n, state: state[n] as number }));
        const found: Difference[] = await Array.fromAsync(compareLists(from(stored), from(indexed)));
        const expected = (n: number) =>
          [PACK_STATE.live, PACK_STATE.retired, PACK_STATE.damaged].includes(state[n] as 0);
        const unknown = left.filter((n) => !right.includes(n) || state[n] === PACK_STATE.missing);
        const vanished = right.filter((n) => !left.includes(n) && expected(n));
        const of = (kind: Difference['kind']) => found.filter((d) => d.kind === kind).map((d) => d.pack.id[0]);
        assert.deepEqual([of('unknown'), of('vanished')], [unknown, vanished]);
      }),
    );
  });

  async function* from<T>(list: readonly T[]): AsyncGenerator<T> {
    yield* list;
  }

  test('is too different when more vanished than a disk loses, or everything', () => {
    const vanished = (n: number) => Array.from({ length: n }, () => ({ kind: 'vanished' as const }));
    assert.equal(isTooDifferent(100, vanished(3)), false);
    assert.equal(isTooDifferent(100, vanished(4)), true);
    assert.equal(isTooDifferent(10_000, vanished(10)), false);
    assert.equal(isTooDifferent(10_000, vanished(11)), true);
    assert.equal(isTooDifferent(0, vanished(1)), true);
    assert.equal(
      isTooDifferent(
        0,
        Array.from({ length: 64 }, () => ({ kind: 'unknown' as const })),
      ),
      false,
    );
  });
});

describe('reconcile', () => {
  test('changes nothing where nothing differs', async () => {
    const { site } = await backedUp();
    await site.maintain('reconcile');
    assert.deepEqual(site.result(), {
      packs: 7,
      adoptedPacks: 0,
      vanishedPacks: 0,
      lostChunks: 0,
      adoptedSnapshots: 0,
      stopped: 0,
    });
  });

  test('takes in a pack that a crash left without a row', async () => {
    const { site } = await backedUp();
    const left = makePack(site.archive.id, data('left'));
    await site.blobs.put(site.name(left.id), left.bytes);
    await site.maintain('reconcile');
    assert.equal(site.result().adoptedPacks, 1);
    assert.deepEqual(await site.present(id('left')), [true]);
  });

  test('does not take in one that is damaged, and says so', async () => {
    const { site } = await backedUp();
    const left = makePack(site.archive.id, data('left'));
    left.bytes[90] = (left.bytes[90] as number) ^ 1;
    await site.blobs.put(site.name(left.id), left.bytes);
    await site.maintain('reconcile');
    assert.deepEqual([site.result().adoptedPacks, site.alerts], [0, ['packs_unknown_damaged']]);
    assert.deepEqual(await site.present(id('left')), [false]);
  });

  test('leaves a pack to the device that is just sending it', async () => {
    const { site } = await backedUp();
    const coming = makePack(site.archive.id, data('coming'));
    await site.blobs.put(site.name(coming.id), coming.bytes);
    const session = await site.device.open();
    await site.point.index.write((on) => announcePack(on, site.archive.number, coming.id, session.number, 'token'));
    await site.maintain('reconcile');
    assert.equal(site.result().adoptedPacks, 0);
  });

  test('never lets a tree be reused that links what is gone', async () => {
    const { site } = await backedUp();
    const dangling = makePack(site.archive.id, [tree('d', 'a', 'gone'), tree('e', 'd')]);
    await site.blobs.put(site.name(dangling.id), dangling.bytes);
    await site.maintain('reconcile');
    assert.deepEqual(await site.present(id('d'), id('e'), id('a')), [false, false, true]);
    await site.backUp([data('gone')]);
    assert.deepEqual(await site.present(id('d'), id('e')), [true, true]);
  });

  test('calls nothing lost that only an upload linked which a crash cut off: nobody was told that it is stored', async () => {
    const { site } = await backedUp();
    const dangling = makePack(site.archive.id, [tree('d', 'a', 'gone')]);
    await site.blobs.put(site.name(dangling.id), dangling.bytes);
    await site.maintain('reconcile');
    assert.deepEqual(site.alerts, []);
    assert.deepEqual(await site.point.index.read(indexWarnings), []);
    assert.deepEqual(await site.present(id('d')), [false]);
    await site.laterBy();
    await site.maintain('collect');
    assert.equal(await site.point.index.read((on) => hasLosses(on, site.archive.number)), false);
  });

  test('marks what a vanished pack held as lost with every tree above it, until it is stored again', async () => {
    const { site, packs } = await backedUp();
    await site.blobs.delete(site.name(packs.a));
    await site.maintain('reconcile');
    assert.deepEqual([site.result().vanishedPacks, site.result().lostChunks], [1, 1]);
    assert.deepEqual(site.alerts, ['packs_vanished', 'chunks_lost']);
    assert.deepEqual(await site.present(...ALL), [false, true, false, true, false]);
    const session = await site.device.open();
    await assert.rejects(site.device.put(session, [tree('new', 't')]), { code: 'links_missing' });
    await site.device.put(session, data('a'));
    assert.deepEqual(await site.present(...ALL), [true, true, true, true, true]);
  });

  test('takes a pack back that was not there for a while', async () => {
    const { site, packs } = await backedUp();
    const bytes = await site.blobs.get(site.name(packs.a));
    await site.blobs.delete(site.name(packs.a));
    await site.maintain('reconcile');
    await site.blobs.put(site.name(packs.a), bytes);
    await site.maintain('reconcile');
    assert.deepEqual(await site.present(...ALL), [true, true, true, true, true]);
    assert.equal((await site.row(packs.a))?.state, PACK_STATE.live);
  });

  test('stops when everything is gone, as with the wrong disk, and so does collect', async () => {
    const { site } = await backedUp();
    for (const name of await site.packs()) await site.blobs.delete(name);
    await site.maintain('reconcile');
    assert.deepEqual([site.result().stopped, site.alerts], [1, ['reconcile_stopped']]);
    assert.deepEqual(await site.present(...ALL), [true, true, true, true, true]);
    await site.laterBy();
    assert.equal((await site.maintain('collect')).skipped, 1);
  });

  test('takes in a snapshot without a row, and reports one without an object', async () => {
    const { site, snapshot } = await backedUp();
    const { number } = site.archive;
    await site.point.index.write((on) => on.db.deleteFrom('snapshots').where('archive', '=', number).execute());
    await site.maintain('reconcile');
    assert.equal(site.result().adoptedSnapshots, 1);
    await site.laterBy();
    await site.maintain('collect');
    assert.deepEqual(await site.present(...ALL), [true, true, true, true, true]);
    await site.blobs.delete(snapshotName(site.archive.id, snapshot.id));
    await site.maintain('reconcile');
    assert.deepEqual(site.alerts, ['snapshots_vanished']);
  });
});

describe('verify', () => {
  test('finds any flipped byte, names whose snapshots it hits, and the next backup heals it', async () => {
    const { packs } = await backedUp();
    assert.ok(packs.a.length === 32);
    await fc.assert(
      fc.asyncProperty(fc.nat(), fc.integer({ min: 1, max: 255 }), async (where, change) => {
        const { site, packs: made, snapshot } = await backedUp();
        const bytes = await site.blobs.get(site.name(made.a));
        const at = where % bytes.length;
        bytes[at] = (bytes[at] as number) ^ change;
        await site.blobs.put(site.name(made.a), bytes);
        await site.maintain('verify');
        assert.deepEqual([site.result().damagedPacks, site.result().lostChunks], [1, 1]);
        assert.deepEqual(site.alerts, ['packs_damaged', 'chunks_lost']);
        const lost = site.events.find((event) => event.kind === 'alert' && event.alert === 'chunks_lost');
        const said = lost?.kind === 'alert' ? (lost.data as { snapshots: { id: string }[]; devices: string[] }) : null;
        assert.deepEqual(
          said?.snapshots.map((s) => s.id),
          [snapshot.id.toHex()],
        );
        assert.deepEqual(said?.devices, [site.device.id.toHex()]);
        assert.deepEqual(await site.present(...ALL), [false, true, false, true, false]);
        await site.backUp([data('a')]);
        assert.deepEqual(await site.present(...ALL), [true, true, true, true, true]);
      }),
      { numRuns: 30 },
    );
  });

  test('has nothing left to find when what was damaged is stored again and collect has been there', async () => {
    const { site, packs } = await backedUp();
    for (const pack of [packs.a, packs.u]) {
      const bytes = await site.blobs.get(site.name(pack));
      await site.blobs.put(site.name(pack), bytes.with(90, (bytes[90] as number) ^ 1));
    }
    await site.maintain('verify');
    await site.backUp([data('a')]);
    await site.laterBy();
    await site.maintain('collect');
    assert.equal(await site.row(packs.u).then((row) => row?.state), PACK_STATE.damaged, 'nothing stands for its tree');
    await site.backUp([[tree('u', 'b')]]);
    await site.laterBy();
    await site.maintain('collect');
    assert.deepEqual(await site.present(...ALL), [true, true, true, true, true]);
    await site.maintain('verify');
    assert.deepEqual([site.result().damagedPacks, site.alerts], [0, []]);
    const left = await site.packs();
    assert.deepEqual(
      [packs.a, packs.u].filter((pack) => left.includes(site.name(pack))),
      [],
    );
  });

  test('reads what it has not read for longest, and goes on where it was stopped', async () => {
    const { site } = await backedUp();
    const stop = new AbortController();
    const begun = site.point.clock.now;
    site.point.clock.now += 1000;
    let seen = 0;
    const stopped = site.maintenance.run('verify', {
      signal: stop.signal,
      onEvent: (event) => {
        if (event.kind === 'progress' && ++seen === 3) stop.abort();
      },
    });
    await assert.rejects(stopped, { name: 'AbortError' });
    const unread = async () => {
      const rows = await site.point.index.read((on) => on.db.selectFrom('packs').select('verified').execute());
      return rows.filter(({ verified }) => verified <= begun).length;
    };
    assert.equal(await unread(), 4);
    await site.maintain('verify');
    assert.equal(await unread(), 0);
  });

  test('takes back what turns out to be whole, and says when the index does not fit a table', async () => {
    const { site, packs } = await backedUp();
    const bytes = await site.blobs.get(site.name(packs.a));
    await site.blobs.put(site.name(packs.a), bytes.with(60, (bytes[60] as number) ^ 1));
    await site.maintain('verify');
    await site.blobs.put(site.name(packs.a), bytes);
    await site.laterBy();
    await site.maintain('verify');
    assert.deepEqual(await site.present(...ALL), [true, true, true, true, true]);
    await site.point.index.write((on) => on.db.updateTable('chunks').set({ offset: 5 }).execute());
    await site.laterBy();
    await site.maintain('verify');
    assert.ok(site.alerts.every((alert) => alert === 'index_disagrees') && site.alerts.length === 7);
  });

  test('passes over a pack that is deleted while it is read', async () => {
    const { site, packs } = await backedUp();
    const blobs = Object.assign(Object.create(site.blobs), {
      get: async (name: string, ...rest: []) => {
        if (name === site.name(packs.a)) {
          await site.point.index.write((on) =>
            on.db.updateTable('packs').set({ state: PACK_STATE.gone }).where('id', '=', packs.a).execute(),
          );
          await site.blobs.delete(name);
        }
        return site.blobs.get(name, ...rest);
      },
    });
    const beside = new Site({ ...site.point, blobs }, site.archive);
    await beside.maintain('verify');
    assert.deepEqual([beside.result().damagedPacks, beside.alerts], [0, []]);
  });
});

describe('a report by a device', () => {
  test('is spread to the trees above, and heals like any loss', async () => {
    const { site } = await backedUp();
    const session = await site.device.open();
    await reportLost(site.point, site.device.ref(session), id('b'));
    await site.device.close(session);
    assert.deepEqual(await site.present(...ALL), [true, false, true, true, true], 'the trees follow in a moment');
    for (const archive of site.point.losses) site.maintenance.lossFound(site.point, archive);
    await site.maintenance.settled();
    assert.deepEqual(await site.present(...ALL), [true, false, true, false, false]);
    await site.backUp([data('b')]);
    assert.deepEqual(await site.present(...ALL), [true, true, true, true, true]);
  });

  test('takes no location away, also when the id is stored again: it may be a lie', async () => {
    const { site, packs } = await backedUp();
    const session = await site.device.open();
    await reportLost(site.point, site.device.ref(session), id('b'));
    await site.device.close(session);
    await site.backUp([data('b')]);
    await site.laterBy();
    await site.maintain('collect');
    assert.equal((await site.row(packs.b))?.rows, 1);
  });

  test('does not miss a tree that is stored while the trees above are looked for', async () => {
    const { site } = await backedUp();
    const session = await site.device.open();
    await reportLost(site.point, site.device.ref(session), id('b'));
    let sent = false;
    const blobs = Object.assign(Object.create(site.blobs), {
      get: async (...args: Parameters<typeof site.blobs.get>) => {
        const bytes = await site.blobs.get(...args);
        if (!sent) {
          sent = true;
          await site.device.put(session, [tree('late', 'u')]);
        }
        return bytes;
      },
    });
    await new Site({ ...site.point, blobs }, site.archive).maintain('resume');
    assert.deepEqual(await site.present(id('late'), id('u')), [false, false]);
  });
});
