import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  closeSync,
  linkSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  rmSync,
  symlinkSync,
  truncateSync,
  utimesSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import fc from 'fast-check';
import { setTimes } from '../system/native.ts';
import { compileExclusions, globSource } from './exclude.ts';
import { createSource } from './node-source.ts';
import { componentsOf, isWithin, joinPath, nameOf, normalizeRoots, parentOf, pathOf, showPath } from './paths.ts';
import { Reach } from './reach.ts';
import {
  FLAG,
  fingerprintOf,
  ROW_LENGTH,
  rowFlags,
  rowInode,
  rowLinks,
  rowMode,
  rowMtimeNsec,
  rowMtimeSec,
  rowName,
  rowSize,
  rowType,
  sameRow,
  TYPE,
} from './rows.ts';
import type { Listing, SourceOptions } from './source.ts';

const EVERYTHING: SourceOptions = { exclude: {}, oneFileSystem: false };

function folder(t: TestContext): string {
  const dir = mkdtempSync(join(tmpdir(), 'holdfast-source-'));
  t.after(() => rmSync(dir, { recursive: true, force: true }));
  return dir;
}

const namesOf = ({ rows, names, count }: Listing): string[] =>
  Array.from({ length: count }, (_, i) => rowName(rows, i * ROW_LENGTH, names).toString('latin1'));

const rowOf = (listing: Listing, name: string): Buffer => {
  const at = namesOf(listing).indexOf(name) * ROW_LENGTH;
  return listing.rows.subarray(at, at + ROW_LENGTH);
};

const hash = ({ rows, names }: Listing): string => fingerprintOf(rows, names).toString('hex');

describe('scanning a directory', () => {
  it('lists every entry with its type, sorted by the bytes of the names', (t) => {
    const dir = folder(t);
    for (const name of ['b', 'a', 'Z', 'ä']) writeFileSync(join(dir, name), name);
    writeFileSync(Buffer.concat([Buffer.from(`${dir}/`), Buffer.from([0xff, 0x0a])]), 'x');
    mkdirSync(join(dir, 'dir'));
    symlinkSync('a', join(dir, 'link'));
    execFileSync('mkfifo', [join(dir, 'pipe')]);
    const listing = createSource(EVERYTHING).scan(Buffer.from(dir));
    assert.deepEqual(namesOf(listing), ['Z', 'a', 'b', 'dir', 'link', 'pipe', 'Ã¤', 'ÿ\n']);
    assert.equal(rowType(rowOf(listing, 'dir'), 0), TYPE.directory);
    assert.equal(rowType(rowOf(listing, 'link'), 0), TYPE.symlink);
    assert.equal(rowType(rowOf(listing, 'pipe'), 0), TYPE.fifo);
    assert.equal(rowSize(rowOf(listing, 'b'), 0), 1);
  });

  it('gives times to the nanosecond, also before 1970', (t) => {
    const dir = folder(t);
    for (const [name, sec, nsec] of [
      ['old', -5, 123_456_789],
      ['new', 4_000_000_000, 1],
    ] as const) {
      writeFileSync(join(dir, name), '');
      setTimes(Buffer.from(join(dir, name)), null, { sec, nsec });
      const row = rowOf(createSource(EVERYTHING).scan(Buffer.from(dir)), name);
      assert.deepEqual([rowMtimeSec(row, 0), rowMtimeNsec(row, 0)], [sec, nsec]);
    }
  });

  it('tells sockets as skipped', async (t) => {
    const dir = folder(t);
    const server = createServer().listen(join(dir, 'socket'));
    t.after(() => server.close());
    await new Promise((resolve) => server.once('listening', resolve));
    const { failed, count } = createSource(EVERYTHING).scan(Buffer.from(dir));
    assert.deepEqual(
      failed.map(({ name, reason }) => [name.toString(), reason]),
      [['socket', 'socket']],
    );
    assert.equal(count, 0);
  });

  it('does not enter what is no file system of files', { skip: process.platform !== 'linux' }, () => {
    const listing = createSource(EVERYTHING).scan(Buffer.from('/'));
    assert.equal(rowFlags(rowOf(listing, 'proc'), 0), FLAG.closed);
  });

  it('notices every kind of change by the fingerprint', (t) => {
    const dir = folder(t);
    const file = join(dir, 'file');
    writeFileSync(file, 'content');
    const source = createSource(EVERYTHING);
    const scan = () => hash(source.scan(Buffer.from(dir)));
    const seen = new Set([scan()]);
    const changes: [string, () => void][] = [
      ['content', () => writeFileSync(file, 'CONTENT')],
      ['mode', () => chmodSync(file, 0o600)],
      ['time', () => utimesSync(file, 1, 1)],
      ['a new name', () => linkSync(file, join(dir, 'second'))],
      ['a removed name', () => rmSync(join(dir, 'second'))],
    ];
    for (const [what, change] of changes) {
      change();
      const now = scan();
      assert.ok(!seen.has(now), what);
      assert.equal(scan(), now);
      seen.add(now);
    }
  });

  it('gives equal rows for two links of a file, and the row of the open file', (t) => {
    const dir = folder(t);
    writeFileSync(join(dir, 'one'), 'x');
    linkSync(join(dir, 'one'), join(dir, 'two'));
    const source = createSource(EVERYTHING);
    const listing = source.scan(Buffer.from(dir));
    const [one, two] = [rowOf(listing, 'one'), rowOf(listing, 'two')];
    assert.ok(sameRow(one, 0, two, 0));
    assert.equal(rowLinks(one, 0), 2);
    const file = source.open(Buffer.from(join(dir, 'two')));
    assert.ok(sameRow(file.stat(), 0, one, 0));
    file.close();
    assert.equal(rowInode(source.stat(Buffer.from(join(dir, 'one'))), 0), rowInode(one, 0));
    assert.equal(rowMode(one, 0) & 0o600, 0o600);
  });
});

describe('opening a file', () => {
  it('follows no link and waits for no FIFO', (t) => {
    const dir = folder(t);
    symlinkSync('/etc/passwd', join(dir, 'link'));
    execFileSync('mkfifo', [join(dir, 'pipe')]);
    const source = createSource(EVERYTHING);
    assert.throws(() => source.open(Buffer.from(join(dir, 'link'))), { code: 'ELOOP' });
    const pipe = source.open(Buffer.from(join(dir, 'pipe')));
    assert.equal(rowType(pipe.stat(), 0), TYPE.fifo);
    pipe.close();
  });

  it('finds where data lies between holes', { skip: process.platform !== 'linux' }, (t) => {
    const path = join(folder(t), 'sparse');
    const fd = openSync(path, 'w');
    writeSync(fd, Buffer.alloc(65_536, 1), 0, 65_536, 1_048_576);
    closeSync(fd);
    truncateSync(path, 8_388_608);
    const source = createSource(EVERYTHING);
    const file = source.open(Buffer.from(path));
    assert.deepEqual(file.extents(), [[1_048_576, 65_536]]);
    file.close();
    writeFileSync(path, 'dense');
    const dense = source.open(Buffer.from(path));
    assert.equal(dense.extents(), null);
    dense.close();
  });
});

describe('exclusions', () => {
  const excluded = (glob: string, path: string, directory = false) =>
    compileExclusions({ globs: [glob] })(Buffer.from(path), directory);

  const cases: [glob: string, path: string, directory: boolean, out: boolean][] = [
    ['*.tmp', '/home/ada/x.tmp', false, true],
    ['*.tmp', '/home/ada/x.tmp.txt', false, false],
    ['*.tmp', '/home/x.tmp/y', false, false],
    ['cache/', '/home/ada/cache', true, true],
    ['cache/', '/home/ada/cache', false, false],
    ['cache/', '/home/ada/mycache', true, false],
    ['/home/*/Downloads', '/home/ada/Downloads', true, true],
    ['/home/*/Downloads', '/home/ada/x/Downloads', true, false],
    ['/home/*/Downloads', '/mnt/home/ada/Downloads', true, false],
    ['project/build', '/home/ada/project/build', true, true],
    ['project/build', '/home/ada/myproject/build', true, false],
    ['**/a/**/b', '/x/a/b', false, true],
    ['**/a/**/b', '/x/a/y/z/b', false, true],
    ['**/a/**/b', '/x/ca/b', false, false],
    ['file?.txt', '/x/file1.txt', false, true],
    ['file?.txt', '/x/file12.txt', false, false],
    ['[a-c]x', '/bx', false, true],
    ['[!a-c]x', '/bx', false, false],
    ['[!a-c]x', '/dx', false, true],
    ['[unclosed', '/[unclosed', false, true],
    ['a.b+c(d)', '/a.b+c(d)', false, true],
    ['a.b+c(d)', '/aXb+c(d)', false, false],
    ['C:/Windows', 'C:/Windows', true, true],
  ];
  for (const [glob, path, directory, out] of cases) {
    it(`${glob} ${out ? 'leaves out' : 'keeps'} ${path}${directory ? '/' : ''}`, () => {
      assert.equal(excluded(glob, path, directory), out);
    });
  }

  it('take any glob, which then matches itself where it has no special sign', () => {
    fc.assert(
      fc.property(fc.string({ minLength: 1, unit: 'grapheme' }), (text) => {
        const source = globSource(text);
        const pattern = new RegExp(source, 'u');
        if (!/[*?[\]/\ud800-\udfff]/u.test(text)) assert.ok(pattern.test(`/x/${text}`), source);
      }),
    );
  });

  it('can be paths, patterns and without regard to case', () => {
    const out = compileExclusions({ paths: [Buffer.from('/a/b')], patterns: ['^/var/.*\\.log$'], ignoreCase: true });
    assert.equal(out(Buffer.from('/a/b'), true), true);
    assert.equal(out(Buffer.from('/a/bc'), true), false);
    assert.equal(out(Buffer.from('/var/x/Y.LOG'), false), true);
  });
});

describe('paths', () => {
  const name = fc
    .uint8Array({ minLength: 1, maxLength: 8 })
    .filter((bytes) => !bytes.includes(0) && !bytes.includes(0x2f))
    .map((bytes) => Buffer.from(bytes));

  it('come apart and together again', () => {
    fc.assert(
      fc.property(fc.array(name, { minLength: 1 }), (names) => {
        const path = pathOf(names);
        assert.deepEqual(componentsOf(path), names);
        assert.deepEqual(joinPath(parentOf(path), nameOf(path)), path);
        assert.ok(isWithin(path, parentOf(path)) && isWithin(path, path));
      }),
    );
  });

  it('below another root are taken once', () => {
    const roots = ['/b/c', '/a', '/b', '/a/', '/bc', '//b//c/d/'].map((path) => Buffer.from(path));
    assert.deepEqual(normalizeRoots(roots).map(String), ['/a', '/b', '/bc']);
    assert.deepEqual(normalizeRoots([Buffer.from('/'), Buffer.from('/a')]).map(String), ['/']);
  });

  it('are shown with what no encoding can read', () => {
    assert.equal(showPath(Buffer.from('/ü')), '/ü');
    assert.equal(showPath(Buffer.from([0x2f, 0xff, 0x61])), '/\\xffa');
  });

  it('longer than the system takes are reached through directories on the way', {
    skip: process.platform !== 'linux',
  }, (t) => {
    const dir = folder(t);
    const reach = new Reach();
    t.after(() => reach.release());
    let path: Buffer = Buffer.from(dir);
    for (let depth = 0; depth < 60; depth++) {
      path = joinPath(path, Buffer.from(`${depth}-`.padEnd(250, 'x')));
      mkdirSync(reach.to(path));
    }
    assert.ok(path.length > 12_000);
    const file = joinPath(path, Buffer.from('file'));
    writeFileSync(reach.to(file), 'far away');
    const source = createSource(EVERYTHING);
    assert.deepEqual(namesOf(source.scan(path)), ['file']);
    const opened = source.open(file);
    const content = Buffer.alloc(20);
    assert.equal(opened.read(content, 0, 20, null), 8);
    opened.close();
    source.close();
  });
});
