/** A small tree of everything that a backup can get wrong on Linux. */
import {
  chmodSync,
  closeSync,
  ftruncateSync,
  linkSync,
  lutimesSync,
  mkdirSync,
  openSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import { zstdCompressSync } from 'node:zlib';
import { encodeDirectory } from '../../../packages/archive/src/format/tree.ts';
import { makeFifo, makeNode, setTimes, setXattr } from '../../../packages/archive/src/system/native.ts';

export function makeOddTree(root: string): void {
  const at = (...names: string[]): string => join(root, ...names);
  for (const name of ['plain', 'plain/deep/deeper', 'many', 'empty folder', 'names'])
    mkdirSync(at(name), { recursive: true });
  writeFileSync(at('plain', 'hello.txt'), 'hello\n');
  writeFileSync(at('plain', 'empty'), '');
  writeFileSync(at('plain', 'deep', 'deeper', 'bottom'), 'bottom\n');
  writeFileSync(at('plain', 'large.bin'), noise(6_500_000, 1));
  writeFileSync(at('plain', 'just small.bin'), noise(131_071, 2));
  writeFileSync(at('plain', 'just large.bin'), noise(131_072, 3));
  for (let i = 0; i < 1500; i++) writeFileSync(at('many', `file ${i}`), `content ${i % 700}\n`);
  linkSync(at('plain', 'large.bin'), at('plain', 'hard link'));
  symlinkSync('../nowhere', at('plain', 'dangling'));
  symlinkSync('deep', at('plain', 'to a folder'));
  for (const name of [
    'a\nnewline',
    '"quotes" and \'more\'',
    'x'.repeat(255),
    'trailing dot.',
    ' spaces ',
    '\u00e9',
    'e\u0301',
    '-rf',
    '$(id)',
  ]) {
    writeFileSync(at('names', name), name);
  }
  writeFileSync(Buffer.concat([Buffer.from(at('names', 'raw ')), Buffer.from([0xff, 0xc3, 0x28])]), 'no utf-8');
  // content that looks like what the archive itself writes
  writeFileSync(at('plain', 'compressed.zst'), zstdCompressSync(noise(200_000, 4).fill('text ', 0, 150_000)));
  writeFileSync(at('plain', 'like a tree'), treePlaintext());
  makeSparse(at('plain', 'sparse'));
  writeFileSync(at('plain', 'secret'), 'secret', { mode: 0o600 });
  chmodSync(at('plain', 'hello.txt'), 0o4755);
  chmodSync(at('empty folder'), 0o1777);
  writeFileSync(at('plain', 'attributes'), 'with attributes');
  setXattr(Buffer.from(at('plain', 'attributes')), Buffer.from('user.note'), Buffer.from([0, 1, 255]));
  makeFifo(Buffer.from(at('plain', 'fifo')), 0o640);
  if (process.getuid?.() === 0) makeNode(Buffer.from(at('plain', 'null')), 'char', 0o600, [1, 3]);
  const exact = { sec: -86_400 * 365 * 3, nsec: 123_456_789 };
  setTimes(Buffer.from(at('plain', 'empty')), exact, exact);
  setTimes(Buffer.from(at('plain', 'secret')), exact, { sec: 4_400_000_000, nsec: 1 });
  lutimesSync(at('plain', 'dangling'), 1_000_000_000, 1_000_000_000);
  utimesSync(at('empty folder'), 1_500_000_000, 1_500_000_000.25);
}

/** Byte for byte what a tree chunk's id is computed over (format §3.1). */
function treePlaintext(): Buffer {
  const entry = {
    name: Buffer.from('x'),
    type: 'directory',
    mode: 0o755,
    uid: 0,
    gid: 0,
    mtime: { sec: 0, nsec: 0 },
  } as const;
  const { links, body } = encodeDirectory({ entries: [{ ...entry, tree: Buffer.alloc(32, 7) }] });
  const count = Buffer.alloc(4);
  count.writeUInt32BE(links.length / 32);
  return Buffer.concat([count, links, body]);
}

function makeSparse(path: string): void {
  const fd = openSync(path, 'w');
  writeSync(fd, 'beginning', 0);
  writeSync(fd, 'far away', 10_000_000);
  ftruncateSync(fd, 20_000_000);
  closeSync(fd);
}

/** Bytes that do not compress, the same for the same seed. */
export function noise(length: number, seed: number): Buffer {
  const out = Buffer.alloc(length);
  let state = (Math.imul(seed, 2_654_435_761) + 12_345) >>> 0 || 1;
  for (let i = 0; i < length; i++) {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    out[i] = state;
  }
  return out;
}
