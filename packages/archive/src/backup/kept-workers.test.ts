import assert from 'node:assert/strict';
import { describe, it, type TestContext } from 'node:test';
import { scan } from '../restore/testing/scan.ts';
import { KeptWorkers } from './kept-workers.ts';
import type { WorkerPool } from './pool.ts';
import { Fixture, noise } from './testing/fixture.ts';

const LATER = { module: new URL('./testing/later-source.ts', import.meta.url).href };
/** Nothing to look at; without a run it is a fault all the same. */
const NO_WALK = { kind: 'walk', count: 0, paths: new Uint8Array() } as const;
const MINUTE = 60_000;

/** Kept workers that say which pools were lent. */
function lender(t: TestContext): { threads: KeptWorkers; lent: WorkerPool[] } {
  const threads = new KeptWorkers({ idleMs: MINUTE });
  const lent: WorkerPool[] = [];
  t.after(() => Promise.all([threads, ...lent].map((each) => each.close())));
  const take = threads.take.bind(threads);
  threads.take = (...wanted) => {
    const pool = take(...wanted);
    lent.push(pool);
    return pool;
  };
  return { threads, lent };
}

function fixture(t: TestContext): Fixture {
  const made = new Fixture();
  t.after(() => made.remove());
  made.file('letter', 'Dear Bob');
  made.file('large', noise('large', 700_000));
  return made;
}

async function requireRestored(f: Fixture): Promise<void> {
  const { folder } = await f.restore();
  assert.deepEqual(scan(folder), scan(f.root));
}

describe('kept workers', () => {
  it('serve one run after the other, of other archives, with other exclusions', async (t) => {
    const { threads, lent } = lender(t);
    const [a, b] = [fixture(t), fixture(t)];
    await a.backup({ threads, source: LATER });
    await requireRestored(a);
    await b.backup({ threads, source: LATER, exclude: { paths: [Buffer.from(`${b.root}/letter`)] } });
    assert.deepEqual(Object.keys(scan((await b.restore()).folder)).includes('letter'), false);
    a.file('letter', 'Dear Alice');
    b.file('more', 'and this');
    await a.backup({ threads, source: LATER });
    await b.backup({ threads, source: LATER });
    await requireRestored(a);
    await requireRestored(b);
    assert.equal(new Set(lent).size, 1);
    assert.equal(lent.length, 4);
  });

  it('keep nothing of the run before: no key, no exclusion, no memory', async (t) => {
    const { threads, lent } = lender(t);
    await fixture(t).backup({ threads, source: LATER });
    const [pool] = lent as [WorkerPool];
    assert.equal(threads.take(2, LATER), pool);
    pool.send(0, NO_WALK);
    await assert.rejects(pool.failure, /No run has begun/);
  });

  it('are not those that still work, that failed, or that are as many as were not asked for', async (t) => {
    const { threads } = lender(t);
    const working = threads.take(1, null);
    working.send(0, NO_WALK);
    await threads.giveBack(working);
    const failed = threads.take(1, null);
    assert.notEqual(failed, working);
    failed.send(0, NO_WALK);
    await assert.rejects(failed.failure);
    await threads.giveBack(failed);
    const one = threads.take(1, null);
    assert.notEqual(one, failed);
    await threads.giveBack(one);
    const two = threads.take(2, null);
    assert.equal(two.size, 2);
    await threads.giveBack(two);
    assert.equal(threads.take(2, null), two);
  });

  it('end when nobody wants them for a while, and when they are closed', async (t) => {
    t.mock.timers.enable({ apis: ['setTimeout'] });
    const threads = new KeptWorkers({ idleMs: MINUTE });
    const pool = threads.take(1, null);
    await threads.giveBack(pool);
    t.mock.timers.tick(MINUTE - 1);
    assert.equal(pool.isIdle, true);
    t.mock.timers.tick(1);
    assert.equal(pool.isIdle, false);
    const next = threads.take(1, null);
    assert.notEqual(next, pool);
    await threads.giveBack(next);
    await threads.close();
    assert.equal(next.isIdle, false);
    const last = threads.take(1, null);
    await threads.giveBack(last);
    assert.equal(last.isIdle, false);
  });
});
