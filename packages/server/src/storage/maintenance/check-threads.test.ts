import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import fc from 'fast-check';
import { id, inPieces, makePack } from '../testing/made.ts';
import { Site } from '../testing/site.ts';
import { CheckThread, checkThreads, openCheckers } from './check-threads.ts';
import { checkHere } from './pack-check.ts';

const ARCHIVE = new Uint8Array(16).fill(1);
const FRAMES = Array.from({ length: 40 }, (_, n) => ({ id: id(`frame ${n}`), size: 100 + n * 37 }));

describe('how many threads check packs', () => {
  test('on Linux one a core up to four, since they come after everybody else; elsewhere half of the cores', () => {
    assert.deepEqual([1, 2, 64].map((cores) => checkThreads(cores, 'linux')), [1, 2, 4]); // biome-ignore format: as a table
    assert.deepEqual([1, 2, 64].map((cores) => checkThreads(cores, 'darwin')), [1, 1, 4]); // biome-ignore format: as a table
  });

  test('none for what is read before a thread has started', async () => {
    const checkers = openCheckers(1_000_000, 2);
    assert.deepEqual(checkers.all, [checkHere]);
    await checkers.close();
  });
});

describe('a thread that checks packs', () => {
  let thread: CheckThread;
  before(() => {
    thread = new CheckThread();
  });
  after(() => thread.close());

  const pack = makePack(ARCHIVE, FRAMES);
  const of = (packId: Uint8Array, archiveId = ARCHIVE) => ({ archiveId, packId });

  test('says of a whole pack what lies where in it, as this thread does', async () => {
    const expected = await checkHere.check(of(pack.id), inPieces(pack.bytes));
    assert.ok(expected?.includes('",28]'));
    for (const piece of [7, 1000, pack.bytes.length])
      assert.equal(await thread.check(of(pack.id), inPieces(pack.bytes.slice(), piece)), expected);
  });

  test('finds any changed byte and any end that comes too early, and is right about the next pack', async () => {
    await fc.assert(
      fc.asyncProperty(fc.nat(pack.bytes.length - 1), fc.integer({ min: 1, max: 255 }), async (at, change) => {
        const changed = pack.bytes.with(at, (pack.bytes[at] as number) ^ change);
        assert.equal(await thread.check(of(pack.id), inPieces(changed)), null);
        assert.equal(await thread.check(of(pack.id), inPieces(pack.bytes.slice(0, at))), null);
        assert.notEqual(await thread.check(of(pack.id), inPieces(pack.bytes)), null);
      }),
      { numRuns: 50 },
    );
    assert.equal(await thread.check(of(id('another name')), inPieces(pack.bytes)), null);
    assert.equal(await thread.check(of(pack.id, new Uint8Array(16)), inPieces(pack.bytes)), null);
  });

  test('passes on that reading failed, and goes on with the next pack', async () => {
    async function* breaksOff() {
      yield pack.bytes.slice(0, 500);
      throw new Error('the store is gone');
    }
    await assert.rejects(thread.check(of(pack.id), breaksOff()), { message: 'the store is gone' });
    assert.notEqual(await thread.check(of(pack.id), inPieces(pack.bytes)), null);
  });

  test('that has ended says so instead of waiting for ever', async () => {
    const ended = new CheckThread();
    await ended.close();
    await assert.rejects(ended.check(of(pack.id), inPieces(pack.bytes)), /has ended/);
  });
});

describe('verify with threads', () => {
  /** So many bytes that threads are worth it, in 5 packs. */
  async function large() {
    const made = await Site.make();
    const site = new Site({ ...made.point, checkThreads: 2 }, made.archive);
    const session = await site.device.open();
    const packs: Uint8Array[] = [];
    for (let n = 0; n < 5; n++)
      packs.push(await site.device.put(session, [{ id: id(`large ${n}`), size: 7_200_000 }, { id: id(`more ${n}`), size: 7_200_000 }])); // biome-ignore format: one pack a line
    await site.device.commit(session, id('large 0'));
    return { site, packs };
  }

  test('finds exactly the packs in which a byte was flipped, and reads each once', async () => {
    const { site, packs } = await large();
    const flipped = [packs[1] as Uint8Array, packs[4] as Uint8Array];
    for (const pack of flipped) {
      const bytes = await site.blobs.get(site.name(pack));
      await site.blobs.put(site.name(pack), bytes.with(9_000_000, (bytes[9_000_000] as number) ^ 8));
    }
    await site.maintain('verify');
    const { packs: read, damagedPacks, lostChunks, wrongRows } = site.result();
    assert.deepEqual([read, damagedPacks, lostChunks, wrongRows], [5, 2, 4, 0]);
    const told = site.events.flatMap((e) => (e.kind === 'alert' && e.alert === 'packs_damaged' ? [e.data] : []));
    assert.deepEqual(new Set(told.map((data) => (data as { pack: string }).pack)), new Set(flipped.map((p) => p.toHex()))); // biome-ignore format: as a set
  });

  test('stops with what stopped it, and goes on where it was', async () => {
    const { site } = await large();
    const begun = site.point.clock.now;
    site.point.clock.now += 1000;
    const stop = new AbortController();
    const stopped = site.maintenance.run('verify', {
      signal: stop.signal,
      onEvent: ({ kind }) => {
        if (kind === 'progress') stop.abort();
      },
    });
    await assert.rejects(stopped, { name: 'AbortError' });
    const rows = await site.point.index.read((on) => on.db.selectFrom('packs').select('verified').execute());
    const unread = rows.filter(({ verified }) => verified <= begun).length;
    assert.ok(unread > 0 && unread < 5, `${unread}`);
    await site.maintain('verify');
    assert.equal(site.result()['packs'], unread);
  });
});
