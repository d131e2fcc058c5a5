import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import type { PackedFrame } from '@holdfast/archive/format/pack.ts';
import { CompiledQuery, Kysely, type Logger, sql } from 'kysely';
import { NodeSqliteDialect, openSqlite } from '../../database/sqlite.ts';
import { onBothDatabases } from '../../database/testing/both.ts';
import { ServerError } from '../../errors.ts';
import { findArchive, lockArchive, raiseEpoch } from './archives.ts';
import {
  condemn,
  deleteCondemned,
  goodFlags,
  insertChunks,
  locateChunks,
  pageOfChunks,
  presentFlags,
  presentPage,
  rowsOfPack,
  START,
  sift,
  uncondemn,
} from './chunks.ts';
import { leaveLane, stillHolds, takeLane } from './jobs.ts';
import { addLossLinks, forgetLosses, hasLosses, heal, markLost, setSpread, unspreadLosses } from './lost.ts';
import { moveChunks } from './moves.ts';
import { indexOver, openIndex } from './open-index.ts';
import {
  announcePack,
  claimForDeletion,
  endAnnouncement,
  findPack,
  forgetAnnouncements,
  packsOfRecentSessions,
  pageOfTreePacks,
  updatePack,
} from './packs.ts';
import { placesOf } from './places.ts';
import { prefixOf } from './prefix.ts';
import { countOpenBelow, endSession, endSilentSessions, holdSession, requireSession } from './sessions.ts';
import { type IndexTables, PACK_STATE } from './tables.ts';
import {
  addArchive,
  addPack,
  addSession,
  archiveId,
  chunkId,
  flags,
  frame,
  ids,
  keys,
  onIndex,
} from './testing/index-fixture.ts';
import { countWrongRows } from './wrong-rows.ts';

const code = (wanted: string) => (error: { code?: string }) => error.code === wanted;

onBothDatabases('the index', (fresh) => {
  const withIndex = onIndex(fresh);

  test('a chunk is present until an epoch up to the session condemns its last location', () =>
    withIndex(async (index, archive) => {
      const first = await index.write((on) => addPack(on, archive, [frame(1), frame(2)]));
      const second = await index.write((on) => addPack(on, archive, [frame(2)]));
      assert.deepEqual(await flags(index, archive, 1, 1, 2, 3), [1, 1, 0]);
      await index.write((on) => condemn(on, archive, keys(first.number, 1, 2), 2));
      assert.deepEqual(await flags(index, archive, 1, 1, 2), [1, 1], 'an older session still has it');
      assert.deepEqual(await flags(index, archive, 2, 1, 2), [0, 1], 'a younger one has the other location only');
      assert.equal(await index.write((on) => condemn(on, archive, keys(first.number, 1), 3)), 0, 'no second label');
      assert.equal(await index.write((on) => uncondemn(on, archive, [chunkId(1)])), 1);
      assert.deepEqual(await flags(index, archive, 2, 1, 2), [1, 1]);
      const deleted = await index.write((on) =>
        deleteCondemned(on, archive, [...keys(first.number, 1, 2), ...keys(second.number, 2)], 2),
      );
      assert.deepEqual(deleted, { rows: 1, bytes: 100 });
      const packs = await index.read((on) => Promise.all([first, second].map((p) => findPack(on, archive, p.id))));
      assert.deepEqual(
        packs.map((pack) => [pack?.rows, pack?.bytes]),
        [
          [1, 100],
          [1, 100],
        ],
      );
    }));

  test('an archive never sees the chunks of another', () =>
    withIndex(async (index, archive) => {
      const other = await addArchive(index, 2);
      await index.write((on) => addPack(on, other, [frame(1)]));
      assert.deepEqual(await flags(index, archive, 1, 1), [0]);
      assert.deepEqual(await index.read((on) => locateChunks(on, archive, ids(1))), [null]);
    }));

  test('a reader is led to the oldest location that is not known to be bad, and to a bad one rather than to none', () =>
    withIndex(async (index, archive) => {
      const first = await index.write((on) => addPack(on, archive, [frame(1)]));
      const second = await index.write((on) => addPack(on, archive, [frame(9), frame(1)]));
      const where = () => index.read((on) => locateChunks(on, archive, ids(1, 8)));
      assert.deepEqual((await where())[0]?.packId, new Uint8Array(first.id));
      assert.equal((await where())[1], null);
      await index.write((on) => markLost(on, archive, keys(first.number, 1), 'reported', 5));
      assert.equal((await where())[0]?.pack, second.number);
      assert.deepEqual(await flags(index, archive, 1, 1), [1]);
      const lost = await index.write((on) => markLost(on, archive, keys(second.number, 1), 'reported', 5));
      assert.deepEqual(lost, [new Uint8Array(prefixOf(chunkId(1)))]);
      assert.equal((await where())[0]?.pack, first.number);
      assert.deepEqual(await flags(index, archive, 1, 1), [0]);
      await index.write((on) => updatePack(on, archive, first.number, { state: PACK_STATE.missing }));
      assert.equal((await where())[0]?.pack, second.number);
    }));

  test('what comes again becomes good and uncondemned', () =>
    withIndex(async (index, archive) => {
      const pack = await index.write((on) => addPack(on, archive, [frame(1), frame(2)]));
      await index.write(async (on) => {
        await condemn(on, archive, keys(pack.number, 1), 2);
        await markLost(on, archive, keys(pack.number, 2), 'damaged', 5);
      });
      assert.deepEqual(await flags(index, archive, 2, 1, 2), [0, 0]);
      await index.write(async (on) => {
        await insertChunks(on, archive, pack.number, [frame(1), frame(2)]);
        await heal(on, archive, [chunkId(1), chunkId(2)].map(prefixOf));
      });
      assert.deepEqual(await flags(index, archive, 2, 1, 2), [1, 1]);
      assert.equal(await index.read((on) => hasLosses(on, archive)), false);
    }));

  test('trees above a loss are not present until the last thing they lack is back', () =>
    withIndex(async (index, archive) => {
      const data = await index.write((on) => addPack(on, archive, [frame(1), frame(2)]));
      const frames = [frame(10, 4, [1, 2]), frame(11, 4, [10]), frame(12, 4, [2])];
      await index.write((on) => addPack(on, archive, frames));
      const link = (child: number, parent: number) => ({
        child: prefixOf(chunkId(child)),
        parent: prefixOf(chunkId(parent)),
      });
      await index.write(async (on) => {
        await markLost(on, archive, keys(data.number, 1, 2), 'missing', 5);
        await addLossLinks(on, archive, [link(1, 10), link(2, 10), link(10, 11), link(2, 12)]);
      });
      const unspread = await index.read((on) => unspreadLosses(on, archive));
      assert.equal(unspread.length, 2);
      await index.write((on) => setSpread(on, archive, unspread));
      assert.deepEqual(await index.read((on) => unspreadLosses(on, archive)), []);
      assert.deepEqual(await flags(index, archive, 1, 10, 11, 12), [0, 0, 0]);
      const before = await index.read((on) => findArchive(on, archiveId(1)));
      const again = (n: number) =>
        index.write(async (on) => {
          await addPack(on, archive, [frame(n)]);
          await heal(on, archive, [prefixOf(chunkId(n))]);
        });
      await again(2);
      assert.deepEqual(await flags(index, archive, 1, 2, 10, 11, 12), [1, 0, 0, 1]);
      await again(1);
      assert.deepEqual(await flags(index, archive, 1, 1, 10, 11, 12), [1, 1, 1, 1]);
      const after = await index.read((on) => findArchive(on, archiveId(1)));
      assert.ok((after?.losses ?? 0) > (before?.losses ?? 0), 'cursors are void');
    }));

  test('a loss that is back before its trees were found takes none of them along', () =>
    withIndex(async (index, archive) => {
      const pack = await index.write((on) => addPack(on, archive, [frame(1), frame(10, 4, [1]), frame(11, 4, [10])]));
      await index.write(async (on) => {
        await markLost(on, archive, keys(pack.number, 1), 'missing', 5);
        await addPack(on, archive, [frame(1)]);
        await heal(on, archive, [prefixOf(chunkId(1))]);
      });
      const link = (child: number, parent: number) => ({
        child: prefixOf(chunkId(child)),
        parent: prefixOf(chunkId(parent)),
      });
      await index.write((on) => addLossLinks(on, archive, [link(10, 11), link(1, 10)]));
      assert.deepEqual(await flags(index, archive, 1, 1, 10, 11), [1, 1, 1]);
    }));

  test('a loss is forgotten when neither a location nor a tree refers to it', () =>
    withIndex(async (index, archive) => {
      const pack = await index.write((on) => addPack(on, archive, [frame(1), frame(10, 4, [1])]));
      await index.write(async (on) => {
        await markLost(on, archive, keys(pack.number, 1), 'missing', 5);
        await addLossLinks(on, archive, [{ child: prefixOf(chunkId(1)), parent: prefixOf(chunkId(10)) }]);
        await condemn(on, archive, keys(pack.number, 1), 2);
        await deleteCondemned(on, archive, keys(pack.number, 1), 2);
        await forgetLosses(on, archive);
      });
      assert.equal(await index.read((on) => hasLosses(on, archive)), true, 'tree 10 still needs it');
      await index.write(async (on) => {
        await condemn(on, archive, keys(pack.number, 10), 2);
        await deleteCondemned(on, archive, keys(pack.number, 10), 2);
        await forgetLosses(on, archive);
      });
      assert.equal(await index.read((on) => hasLosses(on, archive)), false);
    }));

  test('pages walk every location once, and a sift shows those that pass', () =>
    withIndex(async (index, archive) => {
      const many = Array.from({ length: 250 }, (_, i) => frame(i, i % 10 === 0 ? 4 : 1));
      const pack = await index.write((on) => addPack(on, archive, many));
      await index.write((on) => addPack(on, archive, many.slice(0, 50)));
      await index.write((on) => condemn(on, archive, keys(pack.number, 3, 203), 2));
      const walked: string[] = [];
      for (let after = START; ; ) {
        const page = await index.read((on) => pageOfChunks(on, archive, after, 64));
        walked.push(...page.map((row) => `${Buffer.from(row.prefix).readUInt32BE()}/${row.pack}`));
        if (page.length < 64) break;
        after = page.at(-1) as typeof after;
      }
      assert.equal(new Set(walked).size, 300);
      assert.equal(walked.length, 300);
      const sifted: number[] = [];
      let trees = 0;
      for (let after: typeof START | null = START; after !== null; ) {
        const from: typeof START = after;
        const page = await index.read((on) => sift(on, archive, from, 64, { label: 2 }));
        sifted.push(...page.rows.map((row) => Buffer.from(row.prefix).readUInt32BE()));
        trees += (await index.read((on) => sift(on, archive, from, 64, { trees: true, label: 0 }))).rows.length;
        after = page.last;
      }
      assert.deepEqual(sifted, [3, 203]);
      assert.equal(trees, 25 + 5);
      const first = await index.read((on) => presentPage(on, archive, 2, new Uint8Array(0), 200));
      const second = await index.read((on) => presentPage(on, archive, 2, first.last as Uint8Array, 200));
      assert.equal(first.prefixes.length / 16, 200);
      assert.equal(second.prefixes.length / 16, 49, '203 is condemned, 3 has a second location');
      assert.equal(second.last, null);
      assert.deepEqual(first.prefixes.subarray(0, 16), prefixOf(chunkId(0)));
    }));

  test('an ended session is refused, and an unknown one like it', () =>
    withIndex(async (index, archive) => {
      const session = await addSession(index, archive, 100);
      assert.equal(session.epoch, 1);
      assert.equal((await index.read((on) => requireSession(on, archive, session.id))).number, session.number);
      await index.write((on) => endSession(on, session.number, 200));
      await assert.rejects(
        index.read((on) => requireSession(on, archive, session.id)),
        code('session_ended'),
      );
      await assert.rejects(
        index.write((on) => holdSession(on, archive, session.id, 300)),
        code('session_ended'),
      );
      await assert.rejects(
        index.read((on) => requireSession(on, archive, 'ff'.repeat(16))),
        code('session_ended'),
      );
    }));

  test('silence ends a session, a request renews it, and older epochs are counted', () =>
    withIndex(async (index, archive) => {
      const [silent, busy] = [await addSession(index, archive, 100), await addSession(index, archive, 100)];
      await index.write((on) => holdSession(on, archive, busy.id, 900));
      await index.write((on) => raiseEpoch(on, archive, 2));
      const young = await addSession(index, archive, 950);
      assert.equal(young.epoch, 2);
      assert.equal(await index.read((on) => countOpenBelow(on, archive, 2)), 2);
      assert.equal(await index.write((on) => endSilentSessions(on, archive, 500, 1000)), 1);
      assert.equal(await index.read((on) => countOpenBelow(on, archive, 2)), 1);
      await assert.rejects(
        index.read((on) => requireSession(on, archive, silent.id)),
        code('session_ended'),
      );
      await index.read((on) => requireSession(on, archive, busy.id));
    }));

  test('packs of open and of just ended sessions are known', () =>
    withIndex(async (index, archive) => {
      const sendPack = async (n: number) => {
        const session = await addSession(index, archive, 0);
        const pack = await index.write((on) => addPack(on, archive, [frame(n)], session.number));
        return { session, pack };
      };
      const [longEnded, justEnded, open] = [await sendPack(1), await sendPack(2), await sendPack(3)];
      await index.write((on) => endSession(on, longEnded.session.number, 100));
      await index.write((on) => endSession(on, justEnded.session.number, 1000));
      const recent = await index.read((on) => packsOfRecentSessions(on, archive, 500));
      assert.deepEqual(recent, new Set([justEnded.pack.number, open.pack.number]));
    }));

  test('a pack that is being sent again is not deleted, an empty or long retired one is', () =>
    withIndex(async (index, archive) => {
      const session = await addSession(index, archive, 0);
      const make = () => index.write((on) => addPack(on, archive, []));
      const [empty, sentAgain, retired, justRetired] = [await make(), await make(), await make(), await make()];
      const full = await index.write((on) => addPack(on, archive, [frame(1)]));
      await index.write(async (on) => {
        await announcePack(on, archive, sentAgain.id, session.number, 'token');
        await updatePack(on, archive, retired.number, { state: PACK_STATE.retired, since: 10 });
        await updatePack(on, archive, justRetired.number, { state: PACK_STATE.retired, since: 90 });
      });
      const claim = async () =>
        (await index.write((on) => claimForDeletion(on, archive, 50, 100, 10))).map((pack) => pack.number).sort();
      assert.deepEqual(await claim(), [empty.number, retired.number]);
      assert.deepEqual(await claim(), []);
      await index.write((on) => endAnnouncement(on, archive, sentAgain.id, 'token'));
      assert.deepEqual(await claim(), [sentAgain.number]);
      assert.equal((await index.read((on) => findPack(on, archive, full.id)))?.state, PACK_STATE.live);
    }));

  test('an announcement does not outlive its session', () =>
    withIndex(async (index, archive) => {
      const session = await addSession(index, archive, 0);
      const pack = await index.write((on) => addPack(on, archive, []));
      await index.write((on) => announcePack(on, archive, pack.id, session.number, 'token'));
      await index.write((on) => endSession(on, session.number, 5));
      await index.write((on) => forgetAnnouncements(on));
      assert.equal((await index.write((on) => claimForDeletion(on, archive, 50, 100, 10))).length, 1);
    }));

  test('tree packs come newest first, without empty ones', () =>
    withIndex(async (index, archive) => {
      const add = (frames: PackedFrame[]) => index.write((on) => addPack(on, archive, frames));
      const a = await add([frame(1, 4)]);
      await add([frame(2)]);
      const c = await add([frame(3), frame(4, 4)]);
      const d = await add([frame(5, 4)]);
      await index.write(async (on) => {
        await condemn(on, archive, keys(d.number, 5), 2);
        await deleteCondemned(on, archive, keys(d.number, 5), 2);
      });
      const packs = await index.read((on) => pageOfTreePacks(on, archive, Number.MAX_SAFE_INTEGER, 10));
      assert.deepEqual(
        packs.map((pack) => pack.number),
        [c.number, a.number],
      );
    }));

  test('one job holds a lane; after a silence another takes it over, and the first finds out', () =>
    withIndex(async (index, archive) => {
      const take = (owner: string, now: number) =>
        index.write((on) => takeLane(on, { archive, lane: 'structure', job: 'collect', owner }, now));
      const holds = (owner: string, now: number) =>
        index.write((on) => stillHolds(on, archive, 'structure', owner, now));
      assert.equal(await take('a', 0), true);
      assert.equal(await take('b', 1000), false);
      assert.equal(await holds('a', 100_000), true);
      assert.equal(await take('b', 200_000), false);
      assert.equal(await take('b', 300_000), true);
      assert.equal(await holds('a', 300_001), false);
      await index.write((on) => leaveLane(on, archive, 'structure', 'a'));
      assert.equal(await holds('b', 300_002), true, 'the old owner cannot give away what it has not');
    }));

  test('raising the epoch and opening a session wait for each other', () =>
    withIndex(async (index, archive) => {
      const order: string[] = [];
      const { promise: mayCommit, resolve: commit } = Promise.withResolvers<void>();
      const { promise: locked, resolve: hasLock } = Promise.withResolvers<void>();
      const raise = index.write(async (on) => {
        await lockArchive(on, archive);
        hasLock();
        await mayCommit;
        await raiseEpoch(on, archive, 2);
        order.push('raised');
      });
      await locked;
      const opened = addSession(index, archive).then((session) => order.push(`opened in ${session.epoch}`));
      commit();
      await Promise.all([raise, opened]);
      assert.deepEqual(order, ['raised', 'opened in 2']);
    }));

  test('a list of thousands of ids is one question', () =>
    withIndex(async (index, archive) => {
      const some = Array.from({ length: 3000 }, (_, i) => frame(i * 2));
      await index.write((on) => addPack(on, archive, some));
      const asked = Buffer.concat(Array.from({ length: 6000 }, (_, i) => chunkId(i)));
      const answer = await index.read((on) => presentFlags(on, archive, 1, asked));
      assert.ok(answer.every((flag, i) => flag === (i % 2 === 0 ? 1 : 0)));
      const stored = await index.read((on) => goodFlags(on, archive, asked));
      assert.deepEqual(stored, answer);
    }));

  test('a rebuild wants the index alone', async () => {
    const config = await fresh();
    const server = await openIndex(config);
    const maintenance = await openIndex(config);
    const refused = (e: unknown) => e instanceof ServerError && e.code === 'data_in_use';
    await assert.rejects(openIndex(config, { hold: 'alone' }), refused);
    await maintenance.close();
    await assert.rejects(openIndex(config, { hold: 'alone' }), refused);
    await server.close();
    const rebuild = await openIndex(config, { hold: 'alone' });
    await assert.rejects(openIndex(config), refused);
    await rebuild.close();
    await (await openIndex(config)).close();
  });
});

test('a location takes at most 48 bytes of the index file', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'holdfast-index-'));
  const file = join(folder, 'index.db');
  // So many that what the file takes before the first row counts little
  const [packs, frames] = [800, 60];
  try {
    const index = await openIndex({ kind: 'sqlite', file });
    const archive = await addArchive(index);
    for (let pack = 0; pack < packs; pack++) await index.write((on) => addPack(on, archive, randomFrames(frames)));
    const { rows } = await index.read((on) => sql<{ n: number }>`select count(*) as n from chunks`.execute(on.db));
    assert.equal(rows[0]?.n, packs * frames);
    await index.close();
    const perRow = statSync(file).size / (packs * frames);
    assert.ok(perRow <= 48, `${perRow.toFixed(1)} bytes a row, packs and all`);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});

function randomFrames(count: number): PackedFrame[] {
  let offset = 28;
  return Array.from({ length: count }, () => {
    const length = 40_000 + Math.floor(Math.random() * 400_000);
    const entry = { ...frame(0).entry, id: randomBytes(32), storedLength: length - 44 };
    offset += length;
    return { offset: offset - length, length, entry };
  });
}

test('no question about a few ids reads the locations of all', async () => {
  const asked: CompiledQuery[] = [];
  const log: Logger = ({ query }) => void asked.push(query);
  const kysely = new Kysely<IndexTables>({ dialect: new NodeSqliteDialect(openSqlite(':memory:', false)), log });
  const config = { kind: 'sqlite', file: ':memory:' } as const;
  const index = await indexOver({ kind: 'sqlite', config, kysely, close: () => kysely.destroy() });
  const archive = await addArchive(index);
  const key = { prefix: prefixOf(chunkId(1)), pack: 1 };
  asked.length = 0;
  await index.write(async (on) => {
    await addPack(on, archive, [frame(1)]);
    await presentFlags(on, archive, 1, ids(1));
    await goodFlags(on, archive, ids(1));
    await locateChunks(on, archive, ids(1));
    await presentPage(on, archive, 1, key.prefix, 10);
    await pageOfChunks(on, archive, START, 10);
    await condemn(on, archive, [key], 2);
    await uncondemn(on, archive, [key.prefix]);
    await rowsOfPack(on, archive, 1, [key.prefix]);
    await countWrongRows(on, archive, 1, placesOf([frame(1)]));
    await markLost(on, archive, [key], 'damaged', 1);
    await addLossLinks(on, archive, [{ child: key.prefix, parent: key.prefix }]);
    await heal(on, archive, [key.prefix]);
    await moveChunks(on, archive, 2, [{ prefix: key.prefix, from: 1, offset: 1 }]);
    await deleteCondemned(on, archive, [key], 2);
  });
  const statements = asked.filter(({ sql: text }) => !/^(begin|commit)/.test(text));
  assert.ok(statements.length > 20);
  for (const { sql: text, parameters } of statements) {
    const plan = await kysely.executeQuery<{ detail: string }>(
      CompiledQuery.raw(`explain query plan ${text}`, [...parameters]),
    );
    // Also not all locations of the archive, which the first column of the key alone would give.
    const wide = plan.rows
      .map((row) => row.detail)
      .filter((detail) =>
        /^SCAN (chunks|c|packs|p|lost|lost_links|l)\b|^SEARCH (chunks|c) .*\(archive=\?\)$/.test(detail),
      );
    assert.deepEqual(wide, [], text);
  }
  await index.close();
});
