import assert from 'node:assert/strict';
import {
  closeSync,
  fstatSync,
  ftruncateSync,
  openSync,
  readdirSync,
  truncateSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { scan } from '../restore/testing/scan.ts';
import { extents } from '../system/native.ts';
import { extentsWithin } from './reading.ts';
import { Fixture, noise } from './testing/fixture.ts';

function fixture(t: TestContext): Fixture {
  const made = new Fixture();
  t.after(() => made.remove());
  return made;
}

function whereDataLies(path: string): unknown {
  const fd = openSync(path, 'r');
  try {
    return extents(fd, fstatSync(fd).size);
  } finally {
    closeSync(fd);
  }
}

describe('holes', { skip: process.platform !== 'linux' }, () => {
  it('are kept in large files, and not stored', async (t) => {
    const f = fixture(t);
    const path = f.file('sparse', noise('begin', 10_000));
    truncateSync(path, 50_000_000);
    writeFileSync(path, noise('middle', 300_000), { flag: 'r+' });
    truncateSync(path, 90_000_000);
    const hollow = f.file('hollow', '');
    truncateSync(hollow, 1_000_000);
    const result = await f.backup();
    assert.ok(result.stats.bytesStored < 400_000, `${result.stats.bytesStored} bytes`);
    const { folder } = await f.restore();
    assert.deepEqual(scan(folder), scan(f.root));
  });

  it('are kept in small files, whatever is joined with them', async (t) => {
    const f = fixture(t);
    const sparse = (name: string, size: number, ...data: number[]) => {
      const fd = openSync(f.file(name, ''), 'w');
      for (const at of data) writeSync(fd, noise(`${name} ${at}`, 100), 0, 100, at);
      ftruncateSync(fd, size);
      closeSync(fd);
    };
    f.file('a before', noise('before', 5000));
    sparse('begins', 100_000, 0);
    sparse('ends', 100_000, 99_900);
    sparse('between', 131_071, 20_000, 70_000, 120_000);
    sparse('twice', 100_000, 0);
    sparse('nothing', 50_000);
    sparse('one page', 4096);
    f.file('zeros', Buffer.alloc(50_000));
    f.file('z after', noise('after', 5000));
    await f.backup();
    const { folder } = await f.restore();
    for (const name of readdirSync(f.root))
      assert.deepEqual(whereDataLies(join(folder, name)), whereDataLies(join(f.root, name)), name);
    assert.deepEqual(scan(folder), scan(f.root));
    assert.equal((await f.backup()).kind, 'current');
  });

  it('end with what was read of a file that shrank meanwhile', () => {
    assert.deepEqual(
      extentsWithin(90, [
        [10, 20],
        [80, 40],
        [200, 1],
      ]),
      [
        [10, 20],
        [80, 10],
      ],
    );
    assert.equal(extentsWithin(15, [[0, 20]]), null);
    assert.deepEqual(extentsWithin(15, [[20, 20]]), []);
    assert.equal(extentsWithin(0, []), null);
  });
});
