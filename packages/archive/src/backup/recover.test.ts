import assert from 'node:assert/strict';
import { cpSync, linkSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { scan } from '../restore/testing/scan.ts';
import type { BackupOptions } from './options.ts';
import { Fixture, noise } from './testing/fixture.ts';

function fixture(t: TestContext): Fixture {
  const made = new Fixture();
  t.after(() => made.remove());
  return made;
}

const remove = (f: Fixture, path: string): void => rmSync(join(f.root, path), { recursive: true });
const link = (f: Fixture, from: string, to: string): void => linkSync(join(f.root, from), join(f.root, to));

/** The cache is what it was before `work`: that of a run killed at its commit, or of an old image. */
async function withoutCache(f: Fixture, work: () => Promise<void>): Promise<void> {
  const kept = join(f.dir, 'cache before');
  cpSync(f.cacheDir, kept, { recursive: true });
  await work();
  rmSync(f.cacheDir, { recursive: true });
  cpSync(kept, f.cacheDir, { recursive: true });
}

async function commits(f: Fixture, changes: Partial<BackupOptions> = {}): Promise<void> {
  assert.equal((await f.backup(changes)).kind, 'committed');
}

const byWatcher = ({ root }: Fixture): Partial<BackupOptions> => ({
  hint: { changedDirectories: ['.', 'd0', 'd1'].map((name) => Buffer.from(join(root, name))) },
});

const WAYS: readonly (readonly [string, (f: Fixture) => Partial<BackupOptions>])[] = [
  ['by a walk of everything', () => ({})],
  ['by a watcher', byWatcher],
];

describe('a run whose cache is older than the last snapshot, as after one that was killed at its commit', () => {
  for (const [name, way] of WAYS) {
    it(`finds what that one committed, and commits nothing: ${name}`, async (t) => {
      const f = fixture(t);
      for (let i = 0; i < 60; i++) f.file(`d${i % 3}/f${i}`, noise(`f${i}`, 10_000));
      f.file('d0/linked', 'several links');
      link(f, 'd0/linked', 'd1/linked too');
      await f.backup();
      await withoutCache(f, async () => {
        // So few stay that bundles are mostly out of use: a walk of everything that finds a change would store those anew.
        for (let i = 0; i < 60; i++) if (i % 7 > 0) f.file(`d${i % 3}/f${i}`, noise(`other ${i}`, 9000));
        remove(f, 'd0/f3');
        remove(f, 'd2');
        link(f, 'd0/f21', 'd0/another name');
        link(f, 'd1/f7', 'one more name');
        f.file('d3/new', 'new');
        await commits(f, byWatcher(f));
      });
      const [, second] = await f.snapshots();
      assert.equal((await f.backup(way(f))).kind, 'current');
      assert.deepEqual(
        f.ofKind('cache').map(({ problem }) => problem),
        ['behind'],
      );
      assert.deepEqual((await f.snapshots()).at(-1), second);
      assert.equal((await f.backup(way(f))).kind, 'current');
      assert.deepEqual(f.ofKind('cache'), []);
    });
  }

  it('commits nothing, and reads no file again that is as it was before', async (t) => {
    const f = fixture(t);
    for (let i = 0; i < 60; i++) f.file(`d${i % 3}/f${i}`, noise(`f${i}`, 10_000));
    await f.backup();
    await withoutCache(f, async () => {
      f.file('d0/f0', 'changed');
      remove(f, 'd1/f1');
      await commits(f);
    });
    const { kind, stats } = await f.backup();
    assert.equal(kind, 'current');
    const onTheWay = f.root.split('/').length;
    assert.ok(stats.entriesRead <= 1 + 3 + onTheWay, `${stats.entriesRead} read`);
  });

  it('keeps as deleted what only snapshots after it held', async (t) => {
    const f = fixture(t);
    f.file('d/a', 'a');
    await f.backup();
    await withoutCache(f, async () => {
      f.file('d/deleted before the last', '1');
      f.file('e/deleted after the last', '2');
      await commits(f);
      remove(f, 'd/deleted before the last');
      await commits(f);
    });
    remove(f, 'e');
    await f.backup();
    const { folder } = await f.restore({ includeGone: true });
    const kept = scan(folder);
    assert.equal(kept['d/deleted before the last']?.content, '1');
    assert.equal(kept['e/deleted after the last']?.content, '2');
    assert.deepEqual(scan((await f.restore()).folder), scan(f.root));
  });
});

describe('a run whose cache is lost', () => {
  it('commits nothing when nothing changed, although files have several links', async (t) => {
    const f = fixture(t);
    for (const path of ['linked', 'other']) {
      f.file(path, path);
      link(f, path, `${path} too`);
    }
    await f.backup();
    remove(f, 'linked');
    remove(f, 'linked too');
    await f.backup();
    rmSync(f.cacheDir, { recursive: true });
    assert.equal((await f.backup()).kind, 'current');
  });
});
