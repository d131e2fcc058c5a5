import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { PACK_STATE } from '../index/tables.ts';
import { locate } from '../reads/questions.ts';
import { Actor, Killed, steppedRun } from '../testing/actor.ts';
import { id } from '../testing/made.ts';
import { Site } from '../testing/site.ts';
import { type CompactCandidate, compact, planCompaction } from './compact.ts';

const LARGE = 2_000_000;
const data = (...names: string[]) => names.map((name) => ({ id: id(name), size: LARGE }));
const tree = (name: string, ...links: string[]) => ({ id: id(name), links: links.map(id) });

describe('the plan of compaction', () => {
  const pack = (number: number, given: Partial<CompactCandidate> = {}): CompactCandidate => ({
    number,
    id: id(`pack ${number}`),
    size: 16_000_000,
    content: 15_990_000,
    bytes: 15_990_000,
    rows: 10,
    state: PACK_STATE.live,
    ...given,
  });
  const planned = (...packs: CompactCandidate[]) => planCompaction(packs).map(({ number }) => number);

  test('takes packs of which much is dead, and small ones when there are many', () => {
    assert.deepEqual(planned(pack(1), pack(2, { bytes: 8_000_000 }), pack(3, { bytes: 15_000_000 })), [2]);
    const small = Array.from({ length: 16 }, (_, i) => pack(10 + i, { size: 100_000, content: 90_000, bytes: 90_000 }));
    assert.deepEqual(planned(...small.slice(1)), []);
    assert.equal(planned(...small).length, 16);
  });

  test('leaves empty, retired and damaged packs alone, and never takes a pack of which all is alive and large', () => {
    fc.assert(
      fc.property(
        fc.array(
          fc.record({
            size: fc.integer({ min: 5_000_000, max: 30_000_000 }),
            dead: fc.double({ min: 0, max: 1, noNaN: true }),
            rows: fc.nat(3),
            state: fc.constantFrom(...Object.values(PACK_STATE)),
          }),
        ),
        (specs) => {
          const packs = specs.map(({ size, dead, rows, state }, i) =>
            pack(i, { size, content: size - 1000, bytes: Math.floor((size - 1000) * (1 - dead)), rows, state }),
          );
          for (const { number } of planCompaction(packs)) {
            const { dead, rows, state } = specs[number] as (typeof specs)[number];
            assert.ok(dead >= 0.29 && rows > 0 && state === PACK_STATE.live);
          }
        },
      ),
    );
  });
});

describe('compaction', () => {
  /** Two snapshots' worth of data of which only `keep` and its tree are needed. */
  async function mostlyDead() {
    const site = await Site.make();
    const session = await site.device.open();
    const first = await site.device.put(session, [...data('x'), { id: id('keep'), size: LARGE }, ...data('y')]);
    await site.device.put(session, [tree('t', 'keep')]);
    await site.device.commit(session, id('t'));
    await site.laterBy();
    await site.maintain('collect');
    assert.equal((await site.row(first))?.rows, 1);
    return { site, first };
  }

  /** Compaction that dies when it writes its first object; the object comes into the store when the test says so. */
  async function diesWriting({ point, archive }: Site): Promise<() => Promise<unknown>> {
    const run = steppedRun(point, archive, async () => {});
    let arrive = async (): Promise<unknown> => assert.fail('compaction writes nothing');
    const put = async (name: string, bytes: Uint8Array) => {
      const copy = bytes.slice();
      arrive = () => point.blobs.put(name, copy);
      throw new Killed();
    };
    const dying = { ...run, point: { ...run.point, blobs: { ...run.point.blobs, put } } };
    await assert.rejects(compact(dying), Killed);
    return () => arrive();
  }

  /** Maintenance as the clock runs it, until what was replaced in the first of them is deleted. */
  async function someNights(site: Site): Promise<void> {
    for (let night = 0; night < 4; night++) {
      await site.nextDay();
      await site.maintain('collect');
      await site.maintain('compact');
    }
  }

  /** Nothing is stored that nobody needs, nothing twice, and what is needed is there. */
  async function requireTidy(site: Site, message: string): Promise<void> {
    const names = await site.packs();
    const rows = await Promise.all(names.map((name) => site.row(Uint8Array.fromHex(name.slice(-64)))));
    const dead = rows.map((row) => row && row.content - row.bytes);
    assert.deepEqual(dead, [0, 0], message);
    assert.deepEqual(await site.present(id('keep'), id('t')), [true, true], message);
  }

  test('copies what is alive, retires the old pack, and collect removes it a day later', async () => {
    const { site, first } = await mostlyDead();
    const before = await site.blobs.get(site.name(first));
    const session = await site.device.open('restore');
    const ref = site.device.ref(session);
    const [old] = await locate(site.point, ref, id('keep'));
    await site.maintain('compact');
    assert.deepEqual({ ...site.result(), copiedBytes: 0 }, { rewritten: 1, written: 1, copiedBytes: 0, damaged: 0 });
    const [moved] = await locate(site.point, ref, id('keep'));
    assert.notDeepEqual(moved?.packId, first);
    const bytes = await site.blobs.get(
      site.name(moved?.packId as Uint8Array),
      moved as { offset: number; length: number },
    );
    assert.deepEqual(bytes, before.slice(old?.offset, (old?.offset ?? 0) + (old?.length ?? 0)), 'the same frame');
    assert.equal((await site.row(first))?.state, PACK_STATE.retired);
    assert.equal((await site.blobs.get(site.name(first))).length, before.length, 'still readable');
    await site.device.close(session);
    await site.laterBy();
    await site.maintain('collect');
    assert.ok(await site.blobs.stat(site.name(first)), 'also after a collect within the day');
    await site.nextDay();
    await site.maintain('collect');
    assert.equal(await site.blobs.stat(site.name(first)), null);
    assert.deepEqual(await site.present(id('keep'), id('t')), [true, true]);
  });

  test('finds nothing more to do at once', async () => {
    const { site } = await mostlyDead();
    await site.maintain('compact');
    await site.maintain('compact');
    assert.deepEqual(site.result(), { rewritten: 0, written: 0, copiedBytes: 0, damaged: 0 });
  });

  test('joins small packs, trees apart from data, and everything stays present', async () => {
    const site = await Site.make();
    const names = Array.from({ length: 20 }, (_, i) => `n${i}`);
    for (const name of names) await site.backUp([[{ id: id(name) }, tree(`t${name}`, name)]], id(`t${name}`));
    await site.maintain('compact');
    assert.deepEqual([site.result().rewritten, site.result().written], [20, 2]);
    await site.nextDay();
    await site.maintain('collect');
    assert.equal((await site.packs()).length, 2);
    const all = names.flatMap((name) => [id(name), id(`t${name}`)]);
    assert.ok((await site.present(...all)).every(Boolean));
  });

  test('keeps two locations of one id apart', async () => {
    const site = await Site.make();
    for (let i = 0; i < 16; i++) await site.backUp([[{ id: id('same') }]]);
    await site.maintain('compact');
    const { rows } = await site.point.index.read(async (on) => ({
      rows: await on.db.selectFrom('chunks').select('pack').execute(),
    }));
    assert.equal(new Set(rows.map(({ pack }) => pack)).size, 16);
  });

  test('touches no pack that is damaged', async () => {
    const { site, first } = await mostlyDead();
    const bytes = await site.blobs.get(site.name(first));
    bytes[100] = (bytes[100] as number) ^ 1;
    await site.blobs.put(site.name(first), bytes);
    await site.maintain('compact');
    assert.deepEqual([site.result().damaged, site.result().written], [1, 0]);
    assert.equal((await site.row(first))?.state, PACK_STATE.live);
  });

  test('killed anywhere, it leaves nothing that takes room for ever', async () => {
    for (let steps = 1; ; steps++) {
      const { site } = await mostlyDead();
      const killed = new Actor((stop) => compact(steppedRun(site.point, site.archive, stop)));
      for (let left = steps; left > 0 && !killed.over; left--) await killed.step();
      if (killed.over) break;
      await killed.kill();
      await someNights(site);
      await requireTidy(site, `killed before step ${steps}`);
    }
  });

  test('fills a pack of its own that came into the store late, and takes nothing twice', async () => {
    const { site } = await mostlyDead();
    const arrive = await diesWriting(site);
    await site.nextDay();
    await site.maintain('collect');
    await site.nextDay();
    await site.maintain('collect');
    await arrive();
    await site.maintain('reconcile');
    assert.equal(site.result().adoptedPacks, 1);
    await site.maintain('compact');
    assert.deepEqual([site.result().rewritten, site.result().written], [1, 0]);
    await someNights(site);
    await requireTidy(site, 'filled');
  });

  test('moves nothing into a pack that has decayed, however good its name is', async () => {
    const { site, first } = await mostlyDead();
    const arrive = await diesWriting(site);
    await site.nextDay();
    await site.maintain('collect');
    await site.nextDay();
    await site.maintain('collect');
    const before = await site.packs();
    await arrive();
    await site.maintain('reconcile');
    const [copy = ''] = (await site.packs()).filter((name) => !before.includes(name));
    const bytes = await site.blobs.get(copy);
    bytes[100] = (bytes[100] as number) ^ 1;
    await site.blobs.put(copy, bytes);
    await site.maintain('compact');
    assert.equal((await site.row(first))?.state, PACK_STATE.live);
    await site.maintain('verify');
    await someNights(site);
    await requireTidy(site, 'without the copy');
  });
});
