// The contract of file-target.ts as tests: every implementation passes it. `look` reads what came of it past the
// implementation, so that it cannot vouch for itself.

import assert from 'node:assert/strict';
import {
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  renameSync,
  rmdirSync,
  symlinkSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { xattrs } from '../system/native.ts';
import type { Attributes, FileTarget, NewFile, TargetDirectory } from './file-target.ts';
import { ABILITIES } from './testing/abilities.ts';

/** A target whose root is the folder `root`; `outside` is a folder beside it with a file `precious` in it. */
export type OpenTarget = () => {
  readonly target: FileTarget;
  readonly root: string;
  readonly outside: string;
  readonly close: () => void;
};

type Scene = ReturnType<OpenTarget>;

const name = (text: string) => Buffer.from(text);
const ATTRIBUTES: Attributes = {
  mode: 0o640,
  uid: process.getuid?.() ?? 0,
  gid: process.getgid?.() ?? 0,
  mtime: { sec: 1_600_000_000, nsec: 123_456_789 },
};
const { owners } = ABILITIES;
/** Checks of what not every system has. */
const SKIP: Readonly<Record<string, string | false>> = {
  'keeps extended attributes, and says which it cannot': !ABILITIES.xattrs && 'no extended attributes here',
};

export function fileTargetContract(what: string, open: OpenTarget): void {
  describe(`${what} keeps the contract of a target`, () => {
    for (const [title, check] of Object.entries(CHECKS))
      it(title, { skip: SKIP[title] ?? false }, () => {
        const scene = open();
        try {
          check(scene);
          assert.equal(readFileSync(`${scene.outside}/precious`, 'utf8'), 'precious');
          assert.deepEqual(readdirSync(scene.outside), ['precious']);
        } finally {
          scene.close();
        }
      });
  });
}

function make(target: FileTarget, directory: TargetDirectory, text: string, content: string, attributes = ATTRIBUTES) {
  const file = target.createFile(directory);
  target.write(file, 0, name(content));
  const lacks = target.complete(file, content.length, attributes);
  return { lacks, published: target.publish(file, name(text)) };
}

const mtimeOf = (path: string | Buffer) => lstatSync(path, { bigint: true }).mtimeNs;

const CHECKS: Readonly<Record<string, (scene: Scene) => void>> = {
  'writes a file whole, with its mode and time': ({ target, root }) => {
    assert.deepEqual(make(target, target.root, 'a', 'hello'), { lacks: [], published: true });
    assert.equal(readFileSync(`${root}/a`, 'utf8'), 'hello');
    assert.equal(lstatSync(`${root}/a`).mode & 0o7777, 0o640);
    assert.equal(mtimeOf(`${root}/a`), 1_600_000_000_123_456_789n);
    assert.deepEqual(readdirSync(root), ['a']);
  },
  'shows nothing under the name before it is published, nor after it is discarded': ({ target, root }) => {
    const file = target.createFile(target.root);
    target.write(file, 0, name('half'));
    assert.equal(target.stat(target.root, name('a')), null);
    target.discard(file);
    target.discard(file);
    assert.deepEqual(readdirSync(root), []);
    assert.throws(() => target.publish(file, name('a')));
  },
  'replaces nothing unasked': ({ target, root }) => {
    writeFileSync(`${root}/a`, 'mine');
    const file = target.createFile(target.root);
    target.complete(file, 0, ATTRIBUTES);
    assert.equal(target.publish(file, name('a')), false);
    assert.equal(readFileSync(`${root}/a`, 'utf8'), 'mine');
    assert.equal(target.publish(file, name('a'), { replace: true }), true);
    assert.equal(readFileSync(`${root}/a`, 'utf8'), '');
    assert.equal(target.makeSymlink(target.root, name('a'), name('b')), false);
    assert.equal(target.makeNode(target.root, name('a'), 'fifo'), false);
    assert.equal(target.makeHardLink(target.root, name('a'), target.root, name('a')), false);
    assert.equal(target.makeDirectory(target.directory(target.root, name('a'))), false);
    mkdirSync(`${root}/b`);
    assert.equal(target.rename(target.root, name('a'), name('b')), false);
    assert.equal(target.rename(target.root, name('b'), name('a')), false);
    assert.equal(target.rename(target.root, name('b'), name('c')), true);
    assert.deepEqual(readdirSync(root).sort(), ['a', 'c']);
  },
  'keeps the holes of a file, at its end too': ({ target, root }) => {
    const hole = 1 << 20;
    const file = target.createFile(target.root);
    target.write(file, 2 * hole, name('middle'));
    target.complete(file, 4 * hole, ATTRIBUTES);
    target.publish(file, name('sparse'));
    const content = readFileSync(`${root}/sparse`);
    assert.equal(content.length, 4 * hole);
    assert.equal(content.subarray(2 * hole, 2 * hole + 6).toString(), 'middle');
    assert.ok(content.subarray(0, 2 * hole).every((byte) => byte === 0));
    assert.ok(lstatSync(`${root}/sparse`).blocks * 512 < hole);
  },
  'takes pieces of many files in any order': ({ target, root }) => {
    const files = Array.from({ length: 20 }, () => target.createFile(target.root));
    for (const position of [2, 0, 1])
      for (const [index, file] of files.entries())
        target.write(file, position, name('xyz'[(index + position) % 3] as string));
    for (const [index, file] of files.entries()) {
      target.complete(file, 3, ATTRIBUTES);
      assert.ok(target.publish(file, name(`f${index}`)));
    }
    for (const index of files.keys())
      assert.equal(readFileSync(`${root}/f${index}`, 'utf8'), [0, 1, 2].map((p) => 'xyz'[(index + p) % 3]).join(''));
  },
  'lends a file to other writers, and neither closes nor forgets it meanwhile': ({ target, root }) => {
    const lent = target.createFile(target.root);
    const fd = target.lend(lent);
    if (fd === null) return assert.equal(target.lend(lent), null);
    assert.equal(target.lend(lent), fd);
    const others = Array.from({ length: 5 }, () => target.createFile(target.root));
    for (const other of others) target.write(other, 0, name('other'));
    writeSync(fd, 'lent', 3);
    target.giveBack(lent, 7);
    target.discard(others[0] as NewFile);
    writeSync(fd, 'abc', 0);
    target.giveBack(lent, 3);
    target.complete(lent, 7, ATTRIBUTES);
    assert.ok(target.publish(lent, name('a')));
    assert.equal(readFileSync(`${root}/a`, 'utf8'), 'abclent');

    const unwanted = target.createFile(target.root);
    const open = target.lend(unwanted) as number;
    target.discard(unwanted);
    writeSync(open, 'too late', 0);
    const during = readdirSync(root).length;
    target.giveBack(unwanted, 8);
    assert.equal(readdirSync(root).length, during - 1);
  },
  'makes links, FIFOs and further names': ({ target, root }) => {
    assert.ok(target.makeSymlink(target.root, name('link'), name('nowhere/\xff')));
    assert.ok(target.makeNode(target.root, name('fifo'), 'fifo'));
    assert.deepEqual(target.setAttributes(target.root, name('fifo'), 'fifo', ATTRIBUTES), []);
    assert.deepEqual(target.setAttributes(target.root, name('link'), 'symlink', { ...ATTRIBUTES, mode: 0o777 }), []);
    make(target, target.root, 'one', 'content');
    assert.ok(target.makeHardLink(target.root, name('one'), target.root, name('two')));
    assert.equal(lstatSync(`${root}/one`).ino, lstatSync(`${root}/two`).ino);
    assert.equal(lstatSync(`${root}/fifo`).mode & 0o170777, 0o010640);
    assert.deepEqual(readlinkSync(`${root}/link`, { encoding: 'buffer' }), name('nowhere/\xff'));
    assert.equal(mtimeOf(`${root}/link`), 1_600_000_000_123_456_789n);
    assert.equal(target.stat(target.root, name('one'))?.identity, target.stat(target.root, name('two'))?.identity);
    assert.deepEqual(target.readLink(target.root, name('link')), name('nowhere/\xff'));
  },
  'keeps any time from 1902 on, of files, links and directories': ({ target, root }) => {
    const directory = target.directory(target.root, name('d'));
    target.makeDirectory(directory);
    target.makeSymlink(target.root, name('l'), name('x'));
    make(target, target.root, 'f', 'x');
    const time = fc.record({
      sec: fc.integer({ min: 1 - 2 ** 31, max: 2 ** 33 }),
      nsec: fc.integer({ min: 0, max: 999_999_999 }),
    });
    fc.assert(
      fc.property(time, ({ sec, nsec }) => {
        const mtime = { sec, nsec };
        const attributes = { ...ATTRIBUTES, mtime };
        const wanted = BigInt(mtime.sec) * 1_000_000_000n + BigInt(mtime.nsec);
        assert.deepEqual(target.setDirectoryAttributes(directory, attributes), []);
        assert.deepEqual(target.setAttributes(target.root, name('l'), 'symlink', attributes), []);
        assert.deepEqual(target.setAttributes(target.root, name('f'), 'file', attributes), []);
        for (const each of ['d', 'l', 'f']) {
          assert.equal(mtimeOf(`${root}/${each}`), wanted);
          assert.deepEqual(target.stat(target.root, name(each))?.mtime, mtime);
        }
      }),
      { numRuns: 50 },
    );
  },
  'says which time the file system cannot hold': ({ target }) => {
    const { lacks } = make(target, target.root, 'far', '', { ...ATTRIBUTES, mtime: { sec: 2 ** 50, nsec: 0 } });
    assert.deepEqual(lacks, ['times']);
  },
  'keeps extended attributes, and says which it cannot': ({ target, root }) => {
    const kept = [name('user.a'), Buffer.from([0, 1, 255])] as const;
    assert.deepEqual(make(target, target.root, 'a', 'x', { ...ATTRIBUTES, mode: 0o400, xattrs: [kept] }).lacks, []);
    assert.deepEqual(xattrs(name(`${root}/a`)), [kept]);
    const odd = [name('nonsense.b'), name('1')] as const;
    assert.deepEqual(make(target, target.root, 'b', 'x', { ...ATTRIBUTES, xattrs: [odd, kept] }).lacks, ['xattrs']);
    assert.deepEqual(xattrs(name(`${root}/b`)), [kept]);
    const long = [name(`user.${'x'.repeat(300)}`), name('1')] as const;
    assert.deepEqual(make(target, target.root, 'c', 'x', { ...ATTRIBUTES, xattrs: [long] }).lacks, ['xattrs']);
  },
  'keeps setuid with its owner only': ({ target, root }) => {
    const own = { ...ATTRIBUTES, mode: 0o4755 };
    assert.deepEqual(make(target, target.root, 'own', 'x', own).lacks, []);
    assert.equal(lstatSync(`${root}/own`).mode & 0o7777, 0o4755);
    const other = { ...own, uid: 12_345 };
    const { lacks } = make(target, target.root, 'other', 'x', other);
    assert.deepEqual(lacks, owners ? [] : ['owner', 'setuid']);
    const { mode, uid } = lstatSync(`${root}/other`);
    assert.equal(mode & 0o7777, owners ? 0o4755 : 0o755);
    assert.equal(uid, owners ? 12_345 : process.getuid?.());
  },
  'refuses what is not one name': ({ target }) => {
    for (const bad of ['', '.', '..', 'a/b', '/', 'a\0b', '../outside']) {
      assert.throws(() => target.directory(target.root, name(bad)), { code: 'EINVAL' });
      assert.throws(() => target.stat(target.root, name(bad)), { code: 'EINVAL' });
      assert.throws(() => target.makeSymlink(target.root, name(bad), name('x')), { code: 'EINVAL' });
      assert.throws(() => target.makeNode(target.root, name(bad), 'fifo'), { code: 'EINVAL' });
      assert.throws(() => target.remove(target.root, name(bad)), { code: 'EINVAL' });
      assert.throws(() => target.rename(target.root, name('a'), name(bad)), { code: 'EINVAL' });
      const file = target.createFile(target.root);
      assert.throws(() => target.publish(file, name(bad)), { code: 'EINVAL' });
      target.discard(file);
    }
  },
  'never goes through a link, whatever is asked': ({ target, root, outside }) => {
    symlinkSync(outside, `${root}/way`);
    const way = target.directory(target.root, name('way'));
    const deeper = target.directory(way, name('sub'));
    make(target, target.root, 'inside', 'x');
    assert.equal(target.isDirectory(way), false);
    assert.equal(target.makeDirectory(way), false);
    const refused = { code: /^(ELOOP|ENOTDIR)$/ };
    for (const directory of [way, deeper]) {
      assert.throws(() => target.createFile(directory), refused);
      assert.throws(() => target.stat(directory, name('precious')), refused);
      assert.throws(() => target.makeSymlink(directory, name('x'), name('y')), refused);
      assert.throws(() => target.makeNode(directory, name('x'), 'fifo'), refused);
      assert.throws(() => target.makeHardLink(target.root, name('inside'), directory, name('x')), refused);
      assert.throws(() => target.makeHardLink(way, name('precious'), target.root, name('y')), refused);
      assert.throws(() => target.remove(directory, name('precious')), refused);
      assert.throws(() => target.rename(directory, name('precious'), name('gone')), refused);
      assert.throws(() => target.setAttributes(directory, name('precious'), 'file', ATTRIBUTES), refused);
      assert.throws(() => target.sweep(directory), refused);
    }
    assert.throws(() => target.makeDirectory(deeper), refused);
  },
  'sets attributes of the link, never of what it points to': ({ target, root, outside }) => {
    symlinkSync(`${outside}/precious`, `${root}/link`);
    const before = lstatSync(`${outside}/precious`, { bigint: true });
    target.setAttributes(target.root, name('link'), 'symlink', { ...ATTRIBUTES, uid: 12_345 });
    assert.throws(() => target.setAttributes(target.root, name('link'), 'file', ATTRIBUTES), { code: 'EINVAL' });
    const after = lstatSync(`${outside}/precious`, { bigint: true });
    assert.deepEqual([after.mode, after.uid, after.mtimeNs], [before.mode, before.uid, before.mtimeNs]);
  },
  'removes a link, a file or an empty directory, and nothing that is full': ({ target, root, outside }) => {
    symlinkSync(outside, `${root}/link`);
    mkdirSync(`${root}/full/inner`, { recursive: true });
    target.remove(target.root, name('link'));
    assert.throws(() => target.remove(target.root, name('full')), { code: 'ENOTEMPTY' });
    target.remove(target.directory(target.root, name('full')), name('inner'));
    target.remove(target.root, name('full'));
    assert.deepEqual(readdirSync(root), []);
  },
  'follows a link where it was told to, and only there': ({ target, root }) => {
    mkdirSync(`${root}/real`);
    symlinkSync('real', `${root}/way`);
    const way = target.directory(target.root, name('way'), { follow: true });
    assert.ok(target.isDirectory(way));
    make(target, way, 'a', 'x');
    assert.equal(readFileSync(`${root}/real/a`, 'utf8'), 'x');
    symlinkSync('real', `${root}/real/again`);
    assert.throws(() => target.createFile(target.directory(way, name('again'))), { code: /^(ELOOP|ENOTDIR)$/ });
  },
  'finds names that are no text': ({ target, root }) => {
    const odd = Buffer.from([0xff, 0xfe, 0x80]);
    const directory = target.directory(target.root, odd);
    assert.ok(target.makeDirectory(directory));
    const file = target.createFile(directory);
    target.complete(file, 0, ATTRIBUTES);
    assert.ok(target.publish(file, odd));
    assert.equal(target.stat(directory, odd)?.type, 'file');
    assert.deepEqual(readdirSync(root, { encoding: 'buffer' }), [odd]);
  },
  'sweeps what a killed restore left, and nothing of the user or of a run under way': ({ target, root }) => {
    const kept = [
      '.holdfast-restore',
      `.holdfast-restore.${process.pid}.x.1`,
      'a',
      '.holdfast-restore.1.0123456789abcdef.7',
    ];
    for (const each of kept) writeFileSync(`${root}/${each}`, ''); // process 1 lives always
    writeFileSync(`${root}/.holdfast-restore.${process.pid}.0123456789abcdef.7`, 'of an ended run');
    const file = target.createFile(target.root);
    assert.equal(target.sweep(target.root), 1);
    target.complete(file, 0, ATTRIBUTES);
    assert.ok(target.publish(file, name('mine')));
    assert.deepEqual(readdirSync(root).sort(), [...kept, 'mine'].sort());
  },
  'leaves nothing unfinished when it is closed': ({ target, root, close }) => {
    target.write(target.createFile(target.root), 0, name('half'));
    target.createFile(target.root);
    close();
    assert.deepEqual(readdirSync(root), []);
  },
  'tells files apart, and what is there from what is not': ({ target }) => {
    make(target, target.root, 'a', 'x');
    make(target, target.root, 'b', 'x');
    assert.notEqual(target.stat(target.root, name('a'))?.identity, target.stat(target.root, name('b'))?.identity);
    assert.equal(target.stat(target.root, name('none')), null);
    const { type, size, mode } = target.stat(target.root, name('a')) ?? {};
    assert.deepEqual([type, size, mode], ['file', 1, 0o640]);
  },
};

/** For implementations that hold on to directories by descriptor: what others move meanwhile does not lead the way elsewhere. */
export function descriptorTargetContract(what: string, open: OpenTarget): void {
  describe(`${what} holds on to directories`, () => {
    it('writes into the directory it made when a link has taken its name', () => {
      const { target, root, outside, close } = open();
      const directory = target.directory(target.root, name('d'));
      target.makeDirectory(directory);
      const file = target.createFile(directory);
      renameSync(`${root}/d`, `${root}/moved`);
      symlinkSync(outside, `${root}/d`);
      target.write(file, 0, name('x'));
      target.complete(file, 1, ATTRIBUTES);
      assert.ok(target.publish(file, name('f')));
      assert.deepEqual(readdirSync(`${root}/moved`), ['f']);
      assert.deepEqual(readdirSync(outside), ['precious']);
      close();
    });

    it('makes 500 levels of long names, far beyond the longest path, and goes back and forth in them', () => {
      const { target, root, close } = open();
      const level = name('x'.repeat(200));
      const chain: TargetDirectory[] = [target.root];
      for (let depth = 0; depth < 500; depth++) {
        const next = target.directory(chain.at(-1) as TargetDirectory, level);
        assert.ok(target.makeDirectory(next));
        chain.push(next);
      }
      for (const depth of [500, 1, 499, 250, 0]) make(target, chain[depth] as TargetDirectory, 'f', String(depth));
      const deepest = chain.at(-1) as TargetDirectory;
      assert.ok(target.makeHardLink(deepest, name('f'), chain[1] as TargetDirectory, name('far')));
      assert.equal(readFileSync(`${root}/${level}/far`, 'utf8'), '500');
      for (let depth = 500; depth > 0; depth--) {
        const directory = chain[depth] as TargetDirectory;
        for (const file of ['f', 'far']) if (target.stat(directory, name(file))) target.remove(directory, name(file));
        target.remove(chain[depth - 1] as TargetDirectory, level);
      }
      target.remove(target.root, name('f'));
      assert.deepEqual(readdirSync(root), []);
      rmdirSync(root);
      close();
    });
  });
}
