import assert from 'node:assert/strict';
import { chmodSync, mkdirSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { scan } from '../restore/testing/scan.ts';
import { Fixture } from './testing/fixture.ts';

async function backedUp(t: TestContext): Promise<Fixture> {
  const f = new Fixture();
  t.after(() => f.remove());
  for (let i = 0; i < 120; i++) f.file(`a${i % 4}/b${i % 3}/file${i}`, `content ${i}`);
  f.file('quiet/untouched', 'u');
  await f.backup();
  return f;
}

const hint = (f: Fixture, ...paths: string[]) => ({
  hint: { changedDirectories: paths.map((path) => Buffer.from(join(f.root, path))) },
});

describe('a backup with a hint', () => {
  it('looks only at the directories named, and keeps the rest', async (t) => {
    const f = await backedUp(t);
    f.file('a1/b2/file5', 'changed');
    f.file('a2/b0/new', 'new');
    rmSync(join(f.root, 'a3/b0/file3'));
    const result = await f.backup(hint(f, 'a1/b2', 'a2/b0', 'a3/b0'));
    assert.equal(f.ofKind('walked')[0]?.full, false);
    assert.equal(result.kind, 'committed');
    assert.ok(result.stats.entriesRead < 10, `${result.stats.entriesRead} read`);
    const { folder } = await f.restore();
    assert.deepEqual(scan(folder), scan(f.root));
    const [, snapshot] = await f.snapshots();
    assert.equal(snapshot?.description.counts.files, 121);
  });

  it('leaves a state that the next full walk agrees with', async (t) => {
    const f = await backedUp(t);
    f.file('a1/b2/file5', 'changed');
    f.file('a0/deep/er/new', 'new');
    await f.backup(hint(f, 'a1/b2', 'a0'));
    assert.equal((await f.backup()).kind, 'current');
  });

  it('goes down into what is new', async (t) => {
    const f = await backedUp(t);
    f.file('a0/deep/er/new', 'new');
    mkdirSync(join(f.root, 'a0/deep/empty'));
    await f.backup(hint(f, 'a0'));
    const { folder } = await f.restore();
    assert.deepEqual(scan(folder), scan(f.root));
  });

  it('finds a directory that came from elsewhere', async (t) => {
    const f = await backedUp(t);
    renameSync(join(f.root, 'a1'), join(f.root, 'a2/moved'));
    await f.backup(hint(f, '.', 'a2'));
    const { folder } = await f.restore();
    assert.deepEqual(scan(folder), scan(f.root));
  });

  it('copes with directories that are gone, new, outside or not directories', async (t) => {
    const f = await backedUp(t);
    rmSync(join(f.root, 'a0'), { recursive: true });
    f.file('fresh/inside/file', 'x');
    await f.backup(hint(f, 'a0/b1', 'fresh/inside', '../elsewhere', 'quiet/untouched', 'a1/never/was'));
    const { folder } = await f.restore();
    assert.deepEqual(scan(folder), scan(f.root));
  });

  it('takes over the new mode of a directory that it names', async (t) => {
    const f = await backedUp(t);
    chmodSync(join(f.root, 'a1/b0'), 0o700);
    await f.backup(hint(f, 'a1/b0'));
    const { folder } = await f.restore();
    assert.deepEqual(scan(folder), scan(f.root));
  });

  it('is current when nothing changed after all', async (t) => {
    const f = await backedUp(t);
    assert.equal((await f.backup(hint(f, 'a1/b0', 'a2'))).kind, 'current');
  });

  it('walks everything when there is no cache or another root', async (t) => {
    const f = await backedUp(t);
    rmSync(f.cacheDir, { recursive: true });
    f.file('quiet/second', 's');
    await f.backup({ ...hint(f, 'a1/b0'), cacheDir: null });
    const { folder } = await f.restore();
    assert.deepEqual(scan(folder), scan(f.root));
  });
});
