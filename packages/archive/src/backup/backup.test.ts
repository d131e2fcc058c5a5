import assert from 'node:assert/strict';
import {
  chmodSync,
  cpSync,
  linkSync,
  mkdirSync,
  renameSync,
  rmSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { toHex } from '../format/ids.ts';
import { KIND } from '../format/kinds.ts';
import { scan } from '../restore/testing/scan.ts';
import { Fixture, noise, type Stored, tinyKeys } from './testing/fixture.ts';

function fixture(t: TestContext, keys?: ConstructorParameters<typeof Fixture>[0]): Fixture {
  const made = new Fixture(keys);
  t.after(() => made.remove());
  return made;
}

function smallTree(f: Fixture): void {
  for (let i = 0; i < 300; i++) f.file(`docs/part${i % 7}/file${i}.txt`, `file ${i} `.repeat(1 + (i % 40)));
  f.file('big/large.bin', noise('large', 3_000_000));
  f.file('empty', '');
  symlinkSync('docs/part0', join(f.root, 'link'));
  mkdirSync(join(f.root, 'nothing'));
}

describe('backup', () => {
  it('brings everything back as it was', async (t) => {
    const f = fixture(t);
    smallTree(f);
    const result = await f.backup();
    assert.equal(result.kind, 'committed');
    const { folder } = await f.restore();
    assert.deepEqual(scan(folder), scan(f.root));
  });

  it('says what the snapshot holds', async (t) => {
    const f = fixture(t);
    smallTree(f);
    const result = await f.backup();
    const [snapshot] = await f.snapshots();
    const manifest = Object.values(scan(f.root));
    const { counts } = snapshot!.description;
    assert.equal(counts.files, manifest.filter(({ type }) => type === 'file').length);
    assert.equal(counts.others, 1);
    assert.deepEqual(result.stats.totals, counts);
    assert.equal(snapshot?.envelope.sequence, 1);
    assert.equal(snapshot?.envelope.parent, null);
  });

  it('commits nothing when nothing changed, whatever happens beside the selection', async (t) => {
    const f = fixture(t);
    smallTree(f);
    await f.backup();
    writeFileSync(join(f.dir, 'beside'), 'x');
    const result = await f.backup();
    assert.equal(result.kind, 'current');
    assert.equal(result.stats.entriesRead, 0);
    assert.equal((await f.snapshots()).length, 1);
  });

  it('stores only what is new when a file changes', async (t) => {
    const f = fixture(t);
    smallTree(f);
    await f.backup();
    const before = (await f.stored()).length;
    f.file('docs/part3/file3.txt', 'changed');
    const result = await f.backup();
    assert.equal(result.kind, 'committed');
    const kinds = (await f.stored()).slice(0).length - before;
    assert.ok(kinds <= 12, `${kinds} new chunks`);
    const { folder } = await f.restore();
    assert.deepEqual(scan(folder), scan(f.root));
  });

  it('sends one request for a small run', async (t) => {
    const f = fixture(t);
    smallTree(f);
    await f.backup();
    f.file('docs/new.txt', 'new');
    await f.backup();
    assert.equal(f.ofKind('pack').length, 1);
  });

  it('stores less than 1 % again when a tree is moved', async (t) => {
    const f = fixture(t);
    smallTree(f);
    const first = await f.backup();
    renameSync(join(f.root, 'docs'), join(f.root, 'papers'));
    renameSync(join(f.root, 'big'), join(f.root, 'papers/part1/big'));
    const second = await f.backup();
    assert.ok(second.stats.bytesStored < first.stats.bytesStored / 100, `${second.stats.bytesStored} bytes`);
    const { folder } = await f.restore();
    assert.deepEqual(scan(folder), scan(f.root));
  });

  it('stores less than 1 % again when the same content is written anew', async (t) => {
    const f = fixture(t);
    smallTree(f);
    const first = await f.backup();
    rmSync(f.root, { recursive: true });
    smallTree(f);
    const second = await f.backup();
    assert.ok(second.stats.bytesStored < first.stats.bytesStored / 100, `${second.stats.bytesStored} bytes`);
  });

  it('stores a copy once', async (t) => {
    const f = fixture(t);
    for (let i = 0; i < 40; i++) f.file(`a/${i}`, noise(`a${i}`, 2000));
    f.file('a/large', noise('large', 900_000));
    cpSync(join(f.root, 'a'), join(f.root, 'b'), { recursive: true });
    await f.backup();
    const bytes = (await f.stored()).filter(({ kind }) => kind === KIND.bundle || kind === KIND.data);
    const sum = bytes.reduce((total, { length }) => total + length, 0);
    assert.ok(sum < 1_010_000, `${sum} bytes`);
    const { folder } = await f.restore();
    assert.deepEqual(scan(folder), scan(f.root));
  });

  it('cuts a file into many segments and keeps them in a list', async (t) => {
    const f = fixture(t, tinyKeys());
    f.file('many', noise('many', 600_000));
    await f.backup();
    assert.ok((await f.stored()).some(({ kind }) => kind === KIND.list));
    const { folder } = await f.restore();
    assert.deepEqual(scan(folder), scan(f.root));
  });

  it('cuts a directory of 3,000 entries into parts, of which one change makes one new', async (t) => {
    const f = fixture(t);
    for (let i = 0; i < 3000; i++) f.file(`many/${i}`, `${i}`);
    await f.backup();
    const parts = (await f.stored()).filter(({ kind }) => kind === KIND.part).length;
    assert.ok(parts > 1, `${parts} parts`);
    f.file('many/1234', 'changed');
    await f.backup();
    assert.equal((await f.stored()).filter(({ kind }) => kind === KIND.part).length, parts + 1);
    const { folder } = await f.restore();
    assert.deepEqual(scan(folder), scan(f.root));
  });

  it('keeps hard links together, also when one is added later', async (t) => {
    const f = fixture(t);
    const one = f.file('a/one', 'linked content');
    mkdirSync(join(f.root, 'b'));
    linkSync(one, join(f.root, 'b/two'));
    const other = f.file('a/other', 'another');
    linkSync(other, join(f.root, 'b/other'));
    await f.backup();
    linkSync(one, join(f.root, 'b/three'));
    await f.backup();
    const { folder } = await f.restore();
    assert.deepEqual(scan(folder), scan(f.root));
  });

  it('restores a file for itself whose other links lie outside', async (t) => {
    const f = fixture(t);
    const inside = f.file('in/one', 'linked content');
    linkSync(inside, join(f.dir, 'outside'));
    linkSync(inside, join(f.root, 'two'));
    await f.backup({ roots: [Buffer.from(join(f.root, 'in'))] });
    const { folder, result } = await f.restore();
    assert.equal(scan(folder)['in/one']?.content, 'linked content');
    assert.equal(result.done.files, 1);
  });

  it('keeps names that no encoding can read', async (t) => {
    const f = fixture(t);
    const names = [
      Buffer.from('new\nline'),
      Buffer.from([0x66, 0xff, 0xfe, 0x80]),
      Buffer.alloc(255, 0x78),
      Buffer.from('ü\\*'),
    ];
    for (const name of names) writeFileSync(Buffer.concat([Buffer.from(`${f.root}/`), name]), name);
    await f.backup();
    const { folder } = await f.restore();
    assert.deepEqual(scan(folder), scan(f.root));
  });

  it('reaches directories below paths of more than 4,096 bytes', async (t) => {
    const f = fixture(t);
    const name = 'd'.repeat(200);
    const cwd = process.cwd();
    t.after(() => process.chdir(cwd));
    process.chdir(f.root);
    for (let depth = 0; depth < 30; depth++) {
      mkdirSync(name);
      process.chdir(name);
    }
    writeFileSync('deep', 'down here');
    writeFileSync('deeper.bin', noise('deeper', 200_000));
    process.chdir(cwd);
    const result = await f.backup();
    assert.equal(result.stats.totals.files, 2);
    assert.equal(result.stats.skipped, 0);
    const { result: restored } = await f.restore();
    assert.equal(restored.done.files, 2);
  });

  it('leaves out what is excluded and its own cache', async (t) => {
    const f = fixture(t);
    f.file('keep.txt', 'k');
    f.file('drop.tmp', 'd');
    f.file('node_modules/x/y.js', 'n');
    const cacheDir = join(f.root, '.cache');
    await f.backup({ exclude: { globs: ['*.tmp', 'node_modules/'] }, cacheDir });
    const { folder } = await f.restore();
    assert.deepEqual(Object.keys(scan(folder)), ['keep.txt']);
  });

  it('takes several roots, files among them, and one that is below another only once', async (t) => {
    const f = fixture(t);
    f.file('a/one', '1');
    f.file('b/two', '2');
    f.file('c/three', '3');
    const roots = ['a', 'a/one', 'b/two'].map((path) => Buffer.from(join(f.root, path)));
    await f.backup({ roots });
    const { folder } = await f.restore();
    assert.deepEqual(Object.keys(scan(folder)), ['a', 'a/one', 'b', 'b/two']);
  });

  it('notices a change that keeps size and times', async (t) => {
    const f = fixture(t);
    const path = f.file('sly', 'before');
    await f.backup();
    const old = new Date('2024-02-03T04:05:06.789Z');
    writeFileSync(path, 'behind');
    utimesSync(path, old, old);
    await f.backup();
    const { folder } = await f.restore();
    assert.deepEqual(scan(folder), scan(f.root));
  });

  it('carries an unreadable directory forward and says so', {
    skip: process.getuid?.() === 0 && 'root reads everything',
  }, async (t) => {
    const f = fixture(t);
    f.file('closed/secret', 's');
    await f.backup();
    chmodSync(join(f.root, 'closed'), 0);
    t.after(() => chmodSync(join(f.root, 'closed'), 0o755));
    f.file('open', 'o');
    await f.backup();
    assert.deepEqual(
      f.ofKind('skipped').map(({ reason }) => reason),
      ['EACCES'],
    );
    chmodSync(join(f.root, 'closed'), 0o755);
    const { folder } = await f.restore();
    assert.ok('closed/secret' in scan(folder));
  });

  it('stops when it is told to, and leaves the archive as it was', async (t) => {
    const f = fixture(t);
    smallTree(f);
    await f.backup();
    f.file('more', noise('more', 5_000_000));
    const stop = new AbortController();
    const reason = new Error('enough');
    const running = f.backup({ signal: stop.signal, onEvent: ({ kind }) => kind === 'walked' && stop.abort(reason) });
    await assert.rejects(running, reason);
    assert.equal((await f.snapshots()).length, 1);
    assert.equal((await f.backup()).kind, 'committed');
    const { folder } = await f.restore();
    assert.deepEqual(scan(folder), scan(f.root));
  });
});

describe('deleted files', () => {
  it('stay restorable until they are there again', async (t) => {
    const f = fixture(t);
    f.file('a/keep', 'k');
    f.file('a/lost', 'l');
    f.file('dir/inside', 'i');
    await f.backup();
    rmSync(join(f.root, 'a/lost'));
    rmSync(join(f.root, 'dir'), { recursive: true });
    await f.backup();
    const without = await f.restore();
    assert.deepEqual(Object.keys(scan(without.folder)), ['a', 'a/keep']);
    const { folder } = await f.restore({ includeGone: true });
    const all = scan(folder);
    assert.equal(all['a/lost']?.content, 'l');
    assert.equal(all['dir/inside']?.content, 'i');
    f.file('a/lost', 'again');
    f.file('a/third', 'x');
    await f.backup();
    const after = await f.restore({ includeGone: true });
    assert.equal(scan(after.folder)['a/lost']?.content, 'again');
    assert.equal(Object.keys(scan(after.folder)).filter((name) => name.startsWith('a/')).length, 3);
  });

  it('are dropped when they were kept long enough', async (t) => {
    const f = fixture(t);
    f.file('keep', 'k');
    f.file('lost', 'l');
    await f.backup();
    rmSync(join(f.root, 'lost'));
    await f.backup({ goneKeepMs: 10_000 });
    f.time += 20_000;
    const result = await f.backup({ goneKeepMs: 10_000 });
    assert.equal(result.kind, 'committed');
    const { folder } = await f.restore({ includeGone: true });
    assert.deepEqual(Object.keys(scan(folder)), ['keep']);
  });

  it('are not what is excluded later', async (t) => {
    const f = fixture(t);
    f.file('keep', 'k');
    f.file('private', 'p');
    await f.backup();
    await f.backup({ exclude: { globs: ['private'] } });
    const { folder } = await f.restore({ includeGone: true });
    assert.deepEqual(Object.keys(scan(folder)), ['keep']);
  });
});

/** The trees from the root down to the one that holds the times of the folder for temporary files, which change all the time. */
function aboveTemporary(stored: readonly Stored[], root: string): Set<string> {
  const above = new Set([root]);
  let last = root;
  for (const _ of dirname(tmpdir()).split('/').filter(Boolean)) {
    last = stored.find(({ id }) => id === last)?.firstLink ?? last;
    above.add(last);
  }
  return above;
}

describe('the same tree', () => {
  it('gives the same chunks, whatever the number of threads', async (t) => {
    const f = fixture(t);
    for (let i = 0; i < 1500; i++) f.file(`d${i % 11}/f${i}`, noise(`f${i % 900}`, 200 + ((i * 37) % 9000)));
    for (let i = 0; i < 6; i++) f.file(`big${i % 2}/${i}`, noise(`b${i % 4}`, 400_000 + i * 1000));
    const ids: string[][] = [];
    for (const workers of [1, 2, 3, 2]) {
      const other = fixture(t, f.keys);
      other.time = 1_700_000_000_000;
      await other.backup({ roots: [Buffer.from(f.root)], workers });
      const stored = await other.stored();
      const above = aboveTemporary(stored, toHex((await other.snapshots())[0]!.envelope.root));
      ids.push(
        stored
          .map(({ id }) => id)
          .filter((id) => !above.has(id))
          .sort(),
      );
    }
    for (const other of ids.slice(1)) assert.deepEqual(other, ids[0]);
  });
});
