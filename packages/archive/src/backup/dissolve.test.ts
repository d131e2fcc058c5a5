import assert from 'node:assert/strict';
import { describe, it, type TestContext } from 'node:test';
import { KIND } from '../format/kinds.ts';
import { scan } from '../restore/testing/scan.ts';
import { Fixture, noise } from './testing/fixture.ts';

function fixture(t: TestContext): Fixture {
  const f = new Fixture();
  t.after(() => f.remove());
  return f;
}

const bundles = async (f: Fixture) => (await f.stored()).filter(({ kind }) => kind === KIND.bundle);

describe('bundles', () => {
  it('that are mostly out of use are left behind: what is left of them is stored together anew', async (t) => {
    const f = fixture(t);
    const name = (i: number) => `d${i % 3}/f${String(i).padStart(2, '0')}`;
    for (let i = 0; i < 60; i++) f.file(name(i), noise(`f${i}`, 10_000));
    await f.backup();
    const before = new Set((await bundles(f)).map(({ id }) => id));
    // Every sixth file of each folder stays, so that wherever the keys cut a bundle, most of it is out of use.
    for (let i = 0; i < 60; i++) if (Math.floor(i / 3) % 6 > 0) f.file(name(i), noise(`other${i}`, 10_000));
    await f.backup();
    f.file('d0/one more', 'x');
    const result = await f.backup();
    // Some run after the change has read those of the first files again.
    const fresh = (await bundles(f)).filter(({ id }) => !before.has(id));
    assert.ok(fresh.reduce((sum, { length }) => sum + length, 0) > 600_000, JSON.stringify(result.stats));
    const { folder } = await f.restore();
    assert.deepEqual(scan(folder), scan(f.root));
    assert.equal((await f.backup()).kind, 'current');
  });

  it('that many short runs left are joined', async (t) => {
    const f = fixture(t);
    f.file('start', noise('start', 100_000));
    await f.backup();
    const small = () => f.backup({ workers: 1 });
    for (let i = 0; i < 32; i++) {
      f.file(`s${i}`, noise(`s${i}`, 1500));
      await small();
    }
    f.file('last', 'x');
    const result = await small();
    assert.ok(result.stats.entriesRead >= 32, `${result.stats.entriesRead} read`);
    const { folder } = await f.restore();
    assert.deepEqual(scan(folder), scan(f.root));
    f.file('after', 'y');
    assert.ok((await small()).stats.entriesRead < 5);
  });
});
