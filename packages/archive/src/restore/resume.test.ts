import assert from 'node:assert/strict';
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, mkdtempSync, openSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { serialize } from 'node:v8';
import { ArchiveError } from '../errors.ts';
import { createDiskTarget } from '../target/disk-target.ts';
import type { FileTarget } from '../target/file-target.ts';
import { type RestoreOptions, restore } from './restore.ts';
import { type BuiltArchive, buildArchive, file, link, sparse, tree } from './testing/archive-builder.ts';
import { expected, scan } from './testing/scan.ts';

const shared = file('shared by two names', { group: 7 });
/** No two pieces of it are the same. */
const numbers = (count: number) => Array.from({ length: count }, (_, i) => i).join(' ');
const NODE = tree({
  a: 'small',
  big: numbers(1000),
  holes: sparse(1 << 20, [[1000, 'x'.repeat(700)]]),
  one: shared,
  sub: tree({ two: shared, l: link('../a'), deep: tree({ b: 'b'.repeat(200), c: '' }, { mode: 0o751 }) }),
  z: numbers(500),
});

describe('a restore that was stopped', () => {
  let dir: string;
  before(() => {
    dir = mkdtempSync(join(tmpdir(), 'holdfast-resume-'));
  });
  after(() => rmSync(dir, { recursive: true, force: true }));
  const fresh = () => mkdtempSync(join(dir, 'to-'));

  /** A clock that moves on with every look, so that every step tells its progress. */
  const ticking = () => {
    let now = 0;
    return () => (now += 1000);
  };
  const run = ({ endpoint, keys, root }: BuiltArchive, to: string, options: Partial<RestoreOptions> = {}) =>
    restore({ endpoint, keys, root, target: { dir: to }, now: ticking(), ...options });

  async function resumes(archive: BuiltArchive, to: string): Promise<void> {
    const result = await run(archive, to);
    assert.deepEqual([result.ok, result.renamed, result.skipped, result.damaged], [true, [], [], []]);
    assert.deepEqual(scan(to), expected(NODE));
  }

  it('goes on where it was and leaves nothing behind, wherever it was aborted', async () => {
    const archive = await buildArchive(NODE, { packSize: 1 });
    let events = 0;
    await run(archive, fresh(), { onEvent: () => events++ });
    assert.ok(events > 50);
    for (let stop = 1; stop <= events; stop++) {
      const to = fresh();
      const stopping = new AbortController();
      const reason = new Error(`stopped at event ${stop}`);
      let seen = 0;
      const onEvent = () => ++seen === stop && stopping.abort(reason);
      const ended = await run(archive, to, { onEvent, signal: stopping.signal }).then(
        () => null,
        (error) => error,
      );
      if (stop < events - 1) assert.equal(ended, reason); // after the last content it comes too late
      const left = readdirSync(to).filter((name) => name.startsWith('.holdfast'));
      assert.deepEqual(left, []);
      await resumes(archive, to);
    }
  });

  it('goes on where it was after it was killed, and removes the half files that were left', async () => {
    const archive = await buildArchive(NODE, { packSize: 1 });
    const packs = await Promise.all(
      (await Array.fromAsync(archive.store.list(''))).map(async ({ name }) => [name, await archive.store.get(name)]),
    );
    const given = join(fresh(), 'archive');
    writeFileSync(given, serialize({ keys: archive.keys, root: archive.root, packs }));
    let leftovers = 0;
    for (const kill of [1, 8, 15, 25, 40]) {
      const to = fresh();
      const child = fork(new URL('./testing/killed-restore.ts', import.meta.url), [given, to, String(kill)], {
        execArgv: [],
        env: {},
      });
      const [, signal] = await once(child, 'exit');
      assert.equal(signal, 'SIGKILL');
      const names = readdirSync(to, { recursive: true, encoding: 'utf8' });
      const half = names.filter((name) => name.includes('.holdfast-restore.'));
      leftovers += half.length;
      const whole = scan(to);
      for (const name of names)
        if (!half.includes(name) && whole[name]?.type === 'file')
          assert.deepEqual(whole[name]?.content, expected(NODE)[name]?.content, name);
      await resumes(archive, to);
    }
    assert.ok(leftovers > 0);
  });

  it('says that the target is full, and goes on when there is space', async () => {
    const archive = await buildArchive(NODE, { packSize: 1 });
    for (let space = 1; space < 30; space += 4) {
      const to = fresh();
      const real = createDiskTarget(to);
      const target = full(real, space);
      await assert.rejects(run(archive, to, { target }), (error) => {
        assert.ok(error instanceof ArchiveError);
        assert.equal(error.code, 'target_full');
        return true;
      });
      real.close();
      await resumes(archive, to);
    }
  });

  it('says so too when it is the threads that find it full', { skip: process.platform !== 'linux' }, async () => {
    const node = tree({ a: numbers(200_000), b: numbers(300_000) });
    const { endpoint, keys, root } = await buildArchive(node, { piece: 100_000, packSize: 1 << 20 });
    const fd = openSync('/dev/full', 'w');
    for (const workers of [0, 2]) {
      const to = fresh();
      const real = createDiskTarget(to);
      const target = lendingFull(real, fd);
      await assert.rejects(restore({ endpoint, keys, root, target, workers }), { code: 'target_full' });
      real.close();
      assert.deepEqual(readdirSync(to), []);
      const result = await restore({ endpoint, keys, root, target: { dir: to }, workers });
      assert.equal(result.ok, true);
      assert.deepEqual(scan(to), expected(node));
    }
    closeSync(fd);
  });
});

/** A target that lends descriptors of a device without space. */
function lendingFull(target: FileTarget, fd: number): FileTarget {
  const lend: FileTarget['lend'] = (file) => (target.lend(file) === null ? null : fd);
  return new Proxy(target, {
    get: (inner, key) => {
      const member = key === 'lend' ? lend : inner[key as keyof FileTarget];
      return typeof member === 'function' ? member.bind(inner) : member;
    },
  });
}

/** A target that has no space after so many writes. */
function full(target: FileTarget, writes: number): FileTarget {
  let left = writes;
  return new Proxy(target, {
    get: (inner, key) => {
      const member = inner[key as keyof FileTarget];
      if (typeof member !== 'function') return member;
      return (...args: unknown[]) => {
        if (key === 'write' && left-- === 0) throw Object.assign(new Error('no space'), { code: 'ENOSPC' });
        return (member as (...all: unknown[]) => unknown).apply(inner, args);
      };
    },
  });
}
