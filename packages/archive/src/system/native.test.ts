import assert from 'node:assert/strict';
import {
  closeSync,
  constants,
  ftruncateSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import fc from 'fast-check';
import { ABILITIES } from '../target/testing/abilities.ts';
import {
  type Extent,
  extents,
  makeFifo,
  makeNode,
  nativeAvailable,
  openAt,
  removeXattr,
  renameAt,
  returnFreeMemory,
  returnLargeMemoryAtOnce,
  setTimes,
  setTimesFd,
  setXattr,
  setXattrFd,
  splitDevice,
  xattrs,
  xattrsFd,
} from './native.ts';

const text = (value: string) => Buffer.from(value);
const hole = 1 << 20;

describe('native calls', { skip: !nativeAvailable && 'this platform has none' }, () => {
  let dir: string;
  const path = (name: string | Buffer) => Buffer.concat([text(`${dir}/`), Buffer.from(name as string)]);
  const file = (name: string, content = 'content') => {
    writeFileSync(path(name), content);
    return path(name);
  };
  before(() => {
    dir = mkdtempSync(join(tmpdir(), 'holdfast-native-'));
  });
  after(() => rmSync(dir, { recursive: true, force: true }));

  describe('times', () => {
    const read = (at: Buffer) => lstatSync(at, { bigint: true });

    it('keeps every nanosecond of every second from 1902 to 2400', () => {
      const at = file('times');
      const seconds = fc.integer({ min: 1 - 2 ** 31, max: 13_569_465_600 });
      const nanoseconds = fc.integer({ min: 0, max: 999_999_999 });
      fc.assert(
        fc.property(seconds, nanoseconds, (sec, nsec) => {
          assert.equal(setTimes(at, null, { sec, nsec }), 'done');
          assert.equal(read(at).mtimeNs, BigInt(sec) * 1_000_000_000n + BigInt(nsec));
        }),
      );
    });

    it('leaves the access time alone when none is given and sets it when one is', () => {
      const at = file('atime');
      setTimes(at, { sec: 1000, nsec: 1 }, { sec: 2000, nsec: 2 });
      setTimes(at, null, { sec: 3000, nsec: 3 });
      assert.equal(read(at).atimeNs, 1_000_000_000_001n);
    });

    it('sets the time of a link, not of what it points to', () => {
      const target = file('pointed');
      setTimes(target, null, { sec: 5, nsec: 5 });
      symlinkSync('pointed', path('link'));
      assert.equal(setTimes(path('link'), null, { sec: -7, nsec: 999_999_999 }), 'done');
      assert.equal(read(path('link')).mtimeNs, -6_000_000_001n);
      assert.equal(read(target).mtimeNs, 5_000_000_005n);
    });

    it('sets the time of an open file', () => {
      const at = file('open');
      const fd = openSync(at, 'r');
      assert.equal(setTimesFd(fd, null, { sec: -1, nsec: 1 }), 'done');
      closeSync(fd);
      assert.equal(read(at).mtimeNs, -999_999_999n);
    });

    it('names the error, the call and the path when there is nothing', () => {
      assert.throws(() => setTimes(path('missing'), null, { sec: 0, nsec: 0 }), {
        code: 'ENOENT',
        syscall: 'utimensat',
        path: path('missing').toString(),
      });
    });

    it('refuses a path with a zero byte instead of cutting it there', () => {
      file('zero');
      assert.throws(() => setTimes(path('zero\0more'), null, { sec: 0, nsec: 0 }), { code: 'EINVAL' });
    });
  });

  describe('extended attributes', { skip: !ABILITIES.xattrs && 'no extended attributes here' }, () => {
    it('answers nothing for a file without any', () => {
      assert.deepEqual(xattrs(file('plain')), []);
    });

    it('gives back what was set, binary, empty and large, sorted by name', () => {
      const at = file('attributes');
      const large = Buffer.alloc(3000, 0xfe);
      assert.equal(setXattr(at, text('user.z'), Buffer.from([0, 255, 0])), 'done');
      assert.equal(setXattr(at, text('user.a'), Buffer.alloc(0)), 'done');
      assert.equal(setXattr(at, Buffer.from([...text('user.'), 0xff]), large), 'done');
      const expected = [
        [text('user.a'), Buffer.alloc(0)],
        [text('user.z'), Buffer.from([0, 255, 0])],
        [Buffer.from([...text('user.'), 0xff]), large],
      ];
      assert.deepEqual(xattrs(at), expected);
      const fd = openSync(at, 'r');
      assert.deepEqual(xattrsFd(fd), expected);
      setXattrFd(fd, text('user.z'), text('new'));
      closeSync(fd);
      removeXattr(at, text('user.a'));
      assert.deepEqual(xattrs(at)[0], [text('user.z'), text('new')]);
    });

    it('does not follow a link', () => {
      const at = file('behind');
      setXattr(at, text('user.x'), text('1'));
      symlinkSync('behind', path('front'));
      assert.deepEqual(xattrs(path('front')), []);
    });

    it('names an attribute kind that the file system does not have as unsupported', () => {
      assert.equal(setXattr(file('odd'), text('nonsense.x'), text('1')), 'unsupported');
    });
  });

  describe('FIFOs and devices', () => {
    it('makes a FIFO under a name that is not valid UTF-8', () => {
      const name = Buffer.from([0x66, 0xff, 0xfe]);
      assert.equal(makeFifo(path(name), 0o600), 'done');
      assert.ok(lstatSync(path(name)).isFIFO());
      assert.ok(readdirSync(dir, { encoding: 'buffer' }).some((found) => found.equals(name)));
      assert.throws(() => makeFifo(path(name), 0o600), { code: 'EEXIST' });
    });

    it('makes a socket, and refuses device numbers that the system does not have', () => {
      assert.equal(makeNode(path('socket'), 'socket', 0o600), 'done');
      assert.ok(lstatSync(path('socket')).isSocket());
      assert.throws(() => makeNode(path('far'), 'char', 0o600, [4096, 1]), { code: 'EINVAL' });
    });

    it('makes devices with large numbers, as root', {
      skip: !ABILITIES.devices && 'needs the right to make devices',
    }, () => {
      for (const [index, device] of [
        [1, 3],
        [259, 70_000],
        [4095, 1_048_575],
      ].entries()) {
        const at = path(`device${index}`);
        assert.equal(makeNode(at, index === 1 ? 'block' : 'char', 0o640, device as [number, number]), 'done');
        const stat = lstatSync(at, { bigint: true });
        assert.equal(index === 1 ? stat.isBlockDevice() : stat.isCharacterDevice(), true);
        assert.deepEqual(splitDevice(stat.rdev), device);
      }
    });
  });

  describe('below a descriptor', { skip: process.platform !== 'linux' && 'Linux only' }, () => {
    it('opens and renames in the directory itself, wherever its path leads meanwhile', () => {
      mkdirSync(path('before'));
      const directory = openSync(path('before'), constants.O_RDONLY | constants.O_DIRECTORY);
      renameSync(path('before'), path('after'));
      symlinkSync('/', path('before'));
      closeSync(openAt(directory, text('made'), constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL, 0o600));
      assert.equal(renameAt(directory, text('made'), text('named'), false), 'done');
      assert.deepEqual(readdirSync(path('after')), ['named']);
      writeFileSync(path('after/other'), 'other');
      assert.equal(renameAt(directory, text('named'), text('other'), false), 'exists');
      assert.equal(readFileSync(path('after/other'), 'utf8'), 'other');
      assert.equal(renameAt(directory, text('named'), text('other'), true), 'done');
      assert.equal(readFileSync(path('after/other'), 'utf8'), '');
      assert.throws(() => renameAt(directory, text('named'), text('other'), false), { code: 'ENOENT' });
      closeSync(directory);
    });
  });

  describe('holes', () => {
    const made = (name: string, size: number, at: number[]) => {
      const fd = openSync(path(name), 'w+');
      ftruncateSync(fd, size);
      for (const offset of at) writeSync(fd, text('x'), 0, 1, offset);
      return fd;
    };
    const covers = (list: readonly Extent[], offset: number) =>
      list.some(([start, length]) => start <= offset && offset < start + length);

    it('finds the data between holes', () => {
      const fd = made('sparse', 4 * hole, [hole, 3 * hole]);
      const found = extents(fd, 4 * hole);
      closeSync(fd);
      assert.ok(found !== 'unsupported');
      assert.ok(covers(found, hole) && covers(found, 3 * hole));
      assert.ok(!covers(found, 0) && !covers(found, 2 * hole) && !covers(found, 4 * hole - 1));
    });

    it('finds nothing in a file that is one hole, and everything in one without holes', () => {
      const empty = made('hole', hole, []);
      assert.deepEqual(extents(empty, hole), []);
      closeSync(empty);
      const fd = openSync(file('full', 'x'.repeat(10_000)), 'r');
      assert.deepEqual(extents(fd, 10_000), [[0, 10_000]]);
      assert.deepEqual(extents(fd, 0), []);
      closeSync(fd);
    });
  });

  const isGlibc = 'glibcVersionRuntime' in (process.report.getReport() as { header: object }).header;

  it('gives large memory back at once, also after one was freed', { skip: !isGlibc }, () => {
    const MB = 1024 * 1024;
    assert.equal(returnLargeMemoryAtOnce(), 'done');
    const buffer = () => Buffer.alloc(8 * MB, 1);
    buffer().buffer.transfer(0);
    const held = process.memoryUsage.rss();
    const buffers = Array.from({ length: 20 }, buffer);
    // The last one lies above the others, if they lie together
    for (const { buffer } of buffers.slice(0, -1)) buffer.transfer(0);
    assert.ok(process.memoryUsage.rss() - held < 60 * MB);
    assert.equal(buffers.at(-1)?.length, 8 * MB);
  });

  it('gives freed memory back where the library can', () => {
    assert.equal(returnFreeMemory(), isGlibc ? 'done' : 'unsupported');
  });
});
