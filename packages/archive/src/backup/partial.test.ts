import assert from 'node:assert/strict';
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { scan } from '../restore/testing/scan.ts';
import { Fixture, noise } from './testing/fixture.ts';

function fixture(t: TestContext): Fixture {
  const made = new Fixture();
  t.after(() => made.remove());
  return made;
}

describe('a long run', () => {
  it('commits what it has so far, which the complete snapshot follows', async (t) => {
    const f = fixture(t);
    // More than the permits for packs let a worker run ahead of their acknowledgement.
    for (let i = 0; i < 12; i++) f.file(`d${i}/big`, noise(`big${i}`, 9_000_000));
    for (let i = 0; i < 100; i++) f.file(`e${i % 4}/small${i}`, noise(`small${i}`, 1000));
    const result = await f.backup({ workers: 1, partial: { afterBytes: 10_000_000 } });
    const snapshots = await f.snapshots();
    assert.ok(f.ofKind('partial').length > 0);
    assert.deepEqual(
      snapshots.map(({ envelope }) => envelope.partial),
      snapshots.map((_, i) => i < snapshots.length - 1),
    );
    assert.equal(result.kind === 'committed' && result.sequence, snapshots.length);
    const partial = scan((await f.restore({ sequence: 1 })).folder);
    const complete = scan((await f.restore()).folder);
    assert.deepEqual(complete, scan(f.root));
    for (const [path, { content }] of Object.entries(partial)) assert.equal(content, complete[path]?.content, path);
    assert.ok(Object.values(partial).some(({ type }) => type === 'file'));
  });

  it('that is cut off after a partial snapshot goes on where it was', async (t) => {
    const f = fixture(t);
    for (let i = 0; i < 12; i++) f.file(`d${i}/big`, noise(`big${i}`, 9_000_000));
    const stop = new AbortController();
    const onEvent: Parameters<Fixture['backup']>[0] = {
      workers: 1,
      partial: { afterBytes: 10_000_000 },
      signal: stop.signal,
      onEvent: ({ kind }) => kind === 'partial' && stop.abort(new Error('cut off')),
    };
    await assert.rejects(f.backup(onEvent), /cut off/);
    const result = await f.backup();
    assert.ok(result.stats.bytesStored < 100_000_000, `${result.stats.bytesStored} bytes`);
    const { folder } = await f.restore();
    assert.deepEqual(scan(folder), scan(f.root));
  });
});

describe('deleted files, when a run is cut off after a partial snapshot', () => {
  it('stay, also those of a directory that is there again', async (t) => {
    const f = fixture(t);
    f.file('d0/deleted', 'deleted before the run that is cut off');
    f.file('d1/sub/old', 'of a directory that was deleted before');
    await f.backup();
    rmSync(join(f.root, 'd1'), { recursive: true });
    await f.backup();
    rmSync(join(f.root, 'd0/deleted'));
    for (let i = 0; i < 12; i++) f.file(`d${i}/sub/big`, noise(`big${i}`, 9_000_000));
    const stop = new AbortController();
    const cutOff = f.backup({
      workers: 1,
      partial: { afterBytes: 10_000_000 },
      signal: stop.signal,
      onEvent: ({ kind }) => kind === 'partial' && stop.abort(new Error('cut off')),
    });
    await assert.rejects(cutOff, /cut off/);
    await f.backup();
    const restored = scan((await f.restore({ includeGone: true })).folder);
    assert.equal(restored['d0/deleted']?.content, 'deleted before the run that is cut off');
    assert.equal(restored['d1/sub/old']?.content, 'of a directory that was deleted before');
    assert.deepEqual(scan((await f.restore()).folder), scan(f.root));
  });

  it('stay, also those of a subdirectory that is deleted again before the next run', async (t) => {
    const f = fixture(t);
    f.file('d/sub/old', 'old');
    await f.backup();
    rmSync(join(f.root, 'd'), { recursive: true });
    await f.backup();
    // One directory, so that the partial snapshot finds it half read.
    for (let i = 0; i < 12; i++) f.file(`d/sub/big${String(i).padStart(2, '0')}`, noise(`big${i}`, 9_000_000));
    const stop = new AbortController();
    const cutOff = f.backup({
      workers: 1,
      partial: { afterBytes: 10_000_000 },
      signal: stop.signal,
      onEvent: ({ kind }) => kind === 'partial' && stop.abort(new Error('cut off')),
    });
    await assert.rejects(cutOff, /cut off/);
    rmSync(join(f.root, 'd/sub'), { recursive: true });
    await f.backup();
    const restored = scan((await f.restore({ includeGone: true })).folder);
    assert.equal(restored['d/sub/old']?.content, 'old');
    assert.ok(restored['d/sub/big00'], 'what the partial snapshot held');
    assert.deepEqual(scan((await f.restore()).folder), scan(f.root));
  });
});
