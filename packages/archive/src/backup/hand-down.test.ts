import assert from 'node:assert/strict';
import { mkdirSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { createArchiveCrypto } from '../crypto-node/archive-crypto.ts';
import { lookup } from '../restore/lookup.ts';
import { answerOf, openFrame } from '../restore/open-frame.ts';
import { createSessionReader } from '../restore/session-reader.ts';
import { scan } from '../restore/testing/scan.ts';
import type { BackupOptions } from './options.ts';
import { Fixture } from './testing/fixture.ts';

function fixture(t: TestContext): Fixture {
  const made = new Fixture();
  t.after(() => made.remove());
  return made;
}

const remove = (f: Fixture, path: string): void => rmSync(join(f.root, path), { recursive: true });

/** What a restore with deleted files holds, by path: content of files, nothing for directories. */
async function all(f: Fixture): Promise<Record<string, string>> {
  const { folder } = await f.restore({ includeGone: true });
  const files = Object.entries(scan(folder)).filter(([, { type }]) => type === 'file');
  return Object.fromEntries(files.map(([path, { content = '' }]) => [path, content]));
}

/** When the entry at `path` was deleted, by the newest snapshot; undefined if it was not, or is not there. */
async function deletedAt(f: Fixture, path: string): Promise<number | undefined> {
  const crypto = createArchiveCrypto(f.keys);
  const reader = createSessionReader({
    endpoint: await f.endpoint(),
    opener: {
      open: async (range, frames, deliver) => {
        for (const frame of frames) deliver(frame.chunk, answerOf(openFrame(crypto, range, frame)));
      },
    },
  });
  const root = (await f.snapshots()).at(-1)?.envelope.root as Uint8Array;
  const entry = await lookup(reader, root, join(f.root, path), { includeGone: true });
  await reader.close();
  return entry?.deleted;
}

/** How a run learns what changed; each must come to the same. */
const WAYS: { name: string; way: (f: Fixture) => Partial<BackupOptions> }[] = [
  { name: 'by a walk of everything', way: () => ({}) },
  { name: 'by a watcher', way: (f) => ({ hint: { changedDirectories: [Buffer.from(f.root)] } }) },
  {
    name: 'after the cache was lost',
    way: (f) => {
      rmSync(f.cacheDir, { recursive: true, force: true });
      return {};
    },
  },
];

describe('what a deleted directory held, when one of its name is there again', () => {
  for (const { name, way } of WAYS) {
    it(`stays restorable, with its times of deletion: ${name}`, async (t) => {
      const f = fixture(t);
      for (const path of ['d/old', 'd/both', 'd/sub/deep/old', 'd/sub/deep/both', 'd/alone/x', 'd/before'])
        f.file(path, `first ${path}`);
      await f.backup();
      remove(f, 'd/before');
      await f.backup(way(f));
      const earlier = await deletedAt(f, 'd/before');
      remove(f, 'd');
      await f.backup(way(f));
      const later = await deletedAt(f, 'd');
      for (const path of ['d/both', 'd/sub/deep/both', 'd/new']) f.file(path, `second ${path}`);
      await f.backup(way(f));
      assert.deepEqual(await all(f), {
        'd/alone/x': 'first d/alone/x',
        'd/before': 'first d/before',
        'd/both': 'second d/both',
        'd/new': 'second d/new',
        'd/old': 'first d/old',
        'd/sub/deep/both': 'second d/sub/deep/both',
        'd/sub/deep/old': 'first d/sub/deep/old',
      });
      assert.ok(earlier !== undefined && later !== undefined && earlier < later);
      const times = ['d/old', 'd/before', 'd/alone', 'd/sub/deep/old'].map((path) => deletedAt(f, path));
      assert.deepEqual(await Promise.all(times), [later, earlier, later, later]);
      const { folder } = await f.restore();
      assert.deepEqual(scan(folder), scan(f.root));
      assert.equal((await f.backup(way(f))).kind, 'current');
    });

    it(`stays through any number of lives: ${name}`, async (t) => {
      const f = fixture(t);
      f.file('keep', 'k');
      for (const life of ['one', 'two', 'three']) {
        f.file(`d/sub/${life}`, life);
        await f.backup(way(f));
        remove(f, 'd');
        await f.backup(way(f));
      }
      assert.deepEqual(await all(f), { 'd/sub/one': 'one', 'd/sub/three': 'three', 'd/sub/two': 'two', keep: 'k' });
    });

    it(`stays when a file has the name in between: ${name}`, async (t) => {
      const f = fixture(t);
      f.file('keep', 'k');
      f.file('d/old', 'in the directory');
      await f.backup();
      remove(f, 'd');
      f.file('d', 'a file');
      await f.backup(way(f));
      assert.equal((await all(f))['d'], 'a file');
      assert.ok((await deletedAt(f, 'd/old')) === undefined);
      remove(f, 'd');
      await f.backup(way(f));
      assert.ok((await deletedAt(f, 'd')) !== undefined);
      assert.deepEqual(Object.values(await all(f)).sort(), ['a file', 'in the directory', 'k']);
      f.file('d/new', 'n');
      await f.backup(way(f));
      assert.deepEqual(Object.values(await all(f)).sort(), ['a file', 'in the directory', 'k', 'n']);
      remove(f, 'd');
      await f.backup(way(f));
      assert.deepEqual(Object.values(await all(f)).sort(), ['a file', 'in the directory', 'k', 'n']);
    });

    it(`stays when the old directory was only renamed away: ${name}`, async (t) => {
      const f = fixture(t);
      f.file('d/old', 'o');
      f.file('d/sub/old', 's');
      await f.backup();
      renameSync(join(f.root, 'd'), join(f.root, 'e'));
      f.file('d/new', 'n');
      mkdirSync(join(f.root, 'd/sub'));
      await f.backup(way(f));
      assert.deepEqual(await all(f), { 'd/new': 'n', 'd/old': 'o', 'd/sub/old': 's', 'e/old': 'o', 'e/sub/old': 's' });
    });
  }

  it('goes when it was kept long enough, each by its own time', async (t) => {
    const f = fixture(t);
    f.file('keep', 'k');
    f.file('d/first', '1');
    f.file('d/second', '2');
    const keep = { goneKeepMs: 10_000 };
    await f.backup(keep);
    remove(f, 'd/first');
    await f.backup(keep);
    f.time += 6000;
    remove(f, 'd');
    await f.backup(keep);
    f.time += 6000;
    f.file('d/new', 'n');
    await f.backup(keep);
    assert.deepEqual(await all(f), { 'd/new': 'n', 'd/second': '2', keep: 'k' });
    f.time += 6000;
    await f.backup(keep);
    assert.deepEqual(await all(f), { 'd/new': 'n', keep: 'k' });
  });

  it('reads nothing of what is unchanged', async (t) => {
    const f = fixture(t);
    for (let i = 0; i < 40; i++) f.file(`still${i % 4}/f${i}`, `${i}`);
    f.file('d/old', 'o');
    await f.backup();
    remove(f, 'd');
    await f.backup();
    f.file('d/new', 'n');
    const result = await f.backup();
    assert.ok(result.stats.directoriesMade <= 2 + f.root.split('/').length, `${result.stats.directoriesMade} made`);
    // The directory, the new file, and what it lies in.
    assert.ok(result.stats.entriesRead <= 3, `${result.stats.entriesRead} read`);
  });
});
