/**
 * A tree of everything that file systems hold and backups get wrong. What this process may not make (devices, owners, foreign
 * attributes) is left out of it.
 */
import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  closeSync,
  ftruncateSync,
  lchownSync,
  linkSync,
  mkdirSync,
  openSync,
  symlinkSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import { makeFifo, makeNode, setTimes, setXattr, type Time } from '../../../packages/archive/src/system/native.ts';
import { ABILITIES } from '../../../packages/archive/src/target/testing/abilities.ts';

/** A socket in it is the only thing that a backup leaves out. */
export const SOCKET = 'nodes/socket';
const SOMEBODY = 1234;

export type HardTreeSize = { readonly entries: number; readonly depth: number };

export function makeHardTree(root: string, size: HardTreeSize): void {
  mkdirSync(root);
  makeNames(inside(root, 'names'));
  makeLinks(inside(root, 'links'));
  makeHoles(inside(root, 'holes'));
  makeNodes(inside(root, 'nodes'));
  makeAttributes(inside(root, 'attributes'));
  makeLists(inside(root, 'access lists'));
  makeMany(inside(root, 'many'), size.entries);
  makeDeep(inside(root, 'deep'), size.depth);
  mkdirSync(join(root, 'empty', 'in', 'empty'), { recursive: true });
  makeModes(inside(root, 'modes'));
  makeTimes(inside(root, 'times')); // last: what is made in a directory changes its time
}

type At = (name: string | Uint8Array) => Buffer;

function inside(root: string, name: string): At {
  const folder = join(root, name);
  mkdirSync(folder);
  return (entry) => Buffer.concat([Buffer.from(`${folder}/`), Buffer.from(entry)]);
}

const COMPOSED = '\u00e9';
const DECOMPOSED = 'e\u0301';
const NAMES = [
  'line\nbreak\r\n',
  `"double" 'single' \`back\` \\ $(id) *?<>|`,
  'n'.repeat(255),
  COMPOSED.repeat(127),
  COMPOSED,
  DECOMPOSED,
  'dot.',
  '...',
  'space ',
  ' ',
  '-rf',
  '~',
  'con',
  'a:b',
  '\u001b[31mred\u0007',
  '\u007f',
  '.holdfast-restore',
];
const NO_UTF8 = [Buffer.from([0xff, 0xfe, 0xc3, 0x28]), Buffer.from([0xed, 0xa0, 0x80]), Buffer.from([0xc3])];

function makeNames(at: At): void {
  for (const name of [...NAMES, ...NO_UTF8]) writeFileSync(at(name), name);
  mkdirSync(at(' dir\n.'));
  writeFileSync(Buffer.concat([at(' dir\n.'), Buffer.from('/in it')]), '');
}

function makeLinks(at: At): void {
  const targets = { self: 'self', a: 'b', b: 'a', up: '..', root: '/', gone: 'nowhere', long: 't'.repeat(4095) };
  for (const [name, target] of Object.entries(targets)) symlinkSync(target, at(name));
  symlinkSync(Buffer.from([0xff, 0x0a]), at('no encoding'));
  if (ABILITIES.owners) lchownSync(at('gone'), SOMEBODY, SOMEBODY);
  mkdirSync(at('other'));
  writeFileSync(at('one'), 'of several names');
  writeFileSync(at('nothing'), '');
  makeFifo(at('fifo'), 0o600);
  for (const name of ['one', 'nothing', 'fifo', 'self']) linkSync(at(name), at(`other/second ${name}`));
  linkSync(at('one'), at(Buffer.from([0x0a, 0xff, 0x22])));
}

const MB = 1_000_000;
const GB = 1000 * MB;

/** `[size, where data lies...]` */
const SPARSE: { readonly [name: string]: readonly [number, ...number[]] } = {
  'nothing but a hole': [MB],
  'a small file': [100_000, 0, 60_000],
  'a small hole': [50_000],
  'a hole at the end': [5 * MB, 0],
  'a hole at the beginning': [5 * MB, 4_900_000],
  'far larger than any disk': [100 * GB, 0, 50 * GB, 100 * GB - 4],
  'many holes': [64 * MB, ...Array.from({ length: 300 }, (_, i) => i * 200_000)],
};

function makeHoles(at: At): void {
  for (const [name, [size, ...data]] of Object.entries(SPARSE)) {
    const fd = openSync(at(name), 'w');
    for (const position of data) writeSync(fd, 'data', position);
    ftruncateSync(fd, size);
    closeSync(fd);
  }
}

function makeNodes(at: At): void {
  makeFifo(at('fifo'), 0o640);
  makeNode(at('socket'), 'socket', 0o600);
  if (ABILITIES.owners) lchownSync(at('fifo'), SOMEBODY, 1);
  if (!ABILITIES.devices) return;
  makeNode(at('null'), 'char', 0o666, [1, 3]);
  makeNode(at('disk'), 'block', 0o600, [259, 70_000]);
}

const MODES = [0, 0o111, 0o200, 0o444, 0o1777, 0o2755, 0o4000, 0o4755, 0o6711, 0o7777];

function makeModes(at: At): void {
  for (const mode of MODES) {
    const [file, folder] = [at(`file ${mode.toString(8)}`), at(`folder ${mode.toString(8)}`)];
    writeFileSync(file, `mode ${mode}`);
    mkdirSync(folder);
    writeFileSync(Buffer.concat([folder, Buffer.from('/in it')]), '');
    for (const path of ABILITIES.owners ? [file, folder] : []) lchownSync(path, SOMEBODY, SOMEBODY + 1);
    for (const path of [file, folder]) chmodSync(path, ABILITIES.owners ? mode : mode | 0o500);
  }
}

function makeAttributes(at: At): void {
  if (!ABILITIES.xattrs) return;
  const set = (path: Buffer, name: string, value: Uint8Array): unknown => setXattr(path, Buffer.from(name), value);
  for (const name of ['some', 'read only', 'private', 'capable', 'capable for another']) writeFileSync(at(name), name);
  mkdirSync(at('folder'));
  set(at('some'), 'user.binary', Buffer.from([0, 1, 255]));
  set(at('some'), 'user.empty', Buffer.alloc(0));
  set(at('some'), 'user.large', Buffer.alloc(3000, 'large'));
  set(at('folder'), 'user.of a folder', Buffer.from('value'));
  set(at('read only'), 'user.note', Buffer.from('value'));
  chmodSync(at('read only'), 0o444);
  if (!ABILITIES.owners) return;
  symlinkSync('some', at('link'));
  makeFifo(at('fifo'), 0o600);
  for (const name of ['link', 'fifo', 'private']) set(at(name), 'trusted.note', Buffer.from('value'));
  lchownSync(at('capable for another'), SOMEBODY, SOMEBODY);
  for (const name of ['capable', 'capable for another']) set(at(name), 'security.capability', NET_RAW);
  chmodSync(at('capable for another'), 0o4755);
}

/** `cap_net_raw+ep` as the kernel keeps it: revision 2, permitted, inheritable. */
const NET_RAW = Buffer.from('0100000200200000000000000000000000000000', 'hex');

const ANY = 0xffff_ffff;
const [OWNER, USER, GROUP, MASK, OTHERS] = [1, 2, 4, 16, 32];

/** As the kernel takes it: version 2, then tag, permissions and id of each entry. */
function accessList(...entries: readonly (readonly [number, number, number])[]): Buffer {
  const bytes = Buffer.alloc(4 + entries.length * 8);
  bytes.writeUInt32LE(2, 0);
  for (const [i, [tag, permissions, id]] of entries.entries()) {
    bytes.writeUInt16LE(tag, 4 + i * 8);
    bytes.writeUInt16LE(permissions, 6 + i * 8);
    bytes.writeUInt32LE(id, 8 + i * 8);
  }
  return bytes;
}

const LIST = (others: number): Buffer =>
  accessList([OWNER!, 7, ANY], [USER!, 6, SOMEBODY], [GROUP!, 4, ANY], [MASK!, 6, ANY], [OTHERS!, others, ANY]);

/** What is made in a folder with a default list inherits it; what had no list then must not have one after a restore. */
function makeLists(at: At): void {
  if (!ABILITIES.xattrs) return;
  for (const name of ['folder', 'folder/plain folder']) mkdirSync(at(name));
  for (const name of ['file', 'folder/plain']) writeFileSync(at(name), name);
  makeFifo(at('folder/plain fifo'), 0o600);
  chmodSync(at('folder/plain'), 0o666);
  setXattr(at('file'), Buffer.from('system.posix_acl_access'), LIST(0));
  setXattr(at('folder'), Buffer.from('system.posix_acl_access'), LIST(5));
  setXattr(at('folder'), Buffer.from('system.posix_acl_default'), LIST(1));
  writeFileSync(at('folder/heir'), 'inherits');
  mkdirSync(at('folder/heir folder'));
}

function makeMany(at: At, entries: number): void {
  for (let i = 0; i < entries; i++) writeFileSync(at(`entry ${i}`), i % 10 === 0 ? '' : `content ${i}`);
}

/** 500 levels make a path of 10,000 bytes. Each level is reached through the one above it. */
function makeDeep(at: At, depth: number): void {
  let fd = openSync(at(''), 'r');
  for (let level = 0; level < depth; level++) {
    const here = `/proc/self/fd/${fd}`;
    writeFileSync(`${here}/file`, `level ${level}`);
    mkdirSync(`${here}/${'level'.repeat(4)}`);
    const below = openSync(`${here}/${'level'.repeat(4)}`, 'r');
    closeSync(fd);
    fd = below;
  }
  symlinkSync('file', `/proc/self/fd/${fd}/link`);
  closeSync(fd);
}

const BILLION = 1_000_000_000;
const TIMES: readonly Time[] = [
  { sec: 0, nsec: 0 },
  { sec: -1, nsec: 999_999_999 },
  { sec: -2, nsec: 1 },
  { sec: -(2 ** 31), nsec: 0 },
  { sec: 2 ** 31, nsec: 123_456_789 },
  { sec: 2 ** 32, nsec: 1 },
  { sec: 4.4 * BILLION, nsec: 999_999_999 },
  { sec: 15 * BILLION, nsec: 5 },
];

function makeTimes(at: At): void {
  const make: { readonly [kind: string]: (path: Buffer) => unknown } = {
    file: (path) => writeFileSync(path, 'x'),
    folder: (path) => mkdirSync(path),
    link: (path) => symlinkSync('x', path),
    fifo: (path) => makeFifo(path, 0o600),
  };
  for (const [kind, makeOne] of Object.entries(make))
    for (const [i, time] of TIMES.entries()) {
      const path = at(`${kind} ${i}`);
      makeOne(path);
      setTimes(path, null, time);
    }
  setTimes(at(''), null, { sec: -1, nsec: 1 });
}

/** Deeper than Node removes. */
export function removeTree(folder: string): void {
  execFileSync('rm', ['-rf', folder]);
}
