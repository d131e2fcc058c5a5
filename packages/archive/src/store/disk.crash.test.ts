import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { ArchiveError } from '../errors.ts';
import type { BlobStore } from './blob-store.ts';
import { openDiskStore } from './disk.ts';
import { CrashFs, type Omitted } from './testing/crash-fs.ts';

const ROOT = '/disk/store';
const SIZE = 100;
/** Names the workload uses; several share folders, one is put twice, one is deleted. */
const blob = (value: number): Uint8Array => new Uint8Array(SIZE + value).fill(value);

type State = Map<string, ReadonlySet<number | null>>;
type Step = {
  readonly name: string;
  readonly value: number | null;
  readonly how: 'put' | 'ifAbsent' | 'writer' | 'delete';
};

const WORKLOAD: readonly Step[] = [
  { name: 'archives/a/packs/11/1', value: 1, how: 'put' },
  { name: 'archives/a/packs/22/2', value: 2, how: 'writer' },
  { name: 'archives/a/packs/22/3', value: 3, how: 'ifAbsent' },
  { name: 'archives/a/packs/22/3', value: 4, how: 'ifAbsent' },
  { name: 'archives/a/packs/11/1', value: 5, how: 'put' },
  { name: 'archives/a/packs/11/1', value: null, how: 'delete' },
  { name: 'archives/a/snapshots/9', value: 6, how: 'put' },
];

/** Runs the workload until the power is cut at the n-th change; says what each name may hold afterwards. */
async function runUntilCut(fs: CrashFs, cutAt: number): Promise<State> {
  const state: State = new Map();
  const store = await openDiskStore(ROOT, { create: true, fs, unique: counter() });
  fs.changes = 0;
  fs.cutAt = cutAt;
  for (const step of WORKLOAD) {
    const before = state.get(step.name) ?? new Set([null]);
    try {
      const kept = (await perform(store, step)) === 'exists';
      state.set(step.name, kept ? before : new Set([step.value]));
    } catch (error) {
      assert.ok(error instanceof ArchiveError && error.code === 'store_unavailable', String(error));
      state.set(step.name, new Set([...before, step.value]));
      break;
    }
  }
  return state;
}

async function perform(store: BlobStore, { name, value, how }: Step): Promise<string | undefined> {
  if (how === 'delete') return void (await store.delete(name));
  const bytes = blob(value as number);
  if (how !== 'writer') return store.put(name, bytes, { ifAbsent: how === 'ifAbsent' });
  const writer = await store.writer();
  await writer.write(bytes.subarray(0, 10));
  await writer.write(bytes.subarray(10));
  return writer.commit(name);
}

/** What is wrong with the disk found after the cut; `null` when every promise was kept. */
async function brokenPromise(fs: CrashFs, state: State): Promise<string | null> {
  const store = await openDiskStore(ROOT, { create: true, fs, unique: counter() });
  for (const [name, possible] of state) {
    const found = (await store.stat(name)) === null ? null : await store.get(name);
    const value = found === null ? null : (found[0] ?? -1);
    if (!possible.has(value)) return `${name} holds ${value}`;
    if (found !== null && !Buffer.from(found).equals(blob(value as number))) return `${name} is torn`;
  }
  return null;
}

function counter(): () => string {
  let n = 0;
  return () => `t${n++}`;
}

/** Mulberry32. */
function seeded(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

const COINS = [() => 0, () => 0.999, ...Array.from({ length: 30 }, (_, seed) => seeded(seed))];

/** Cuts the power at every change of the workload, and looks at each disk that may be found then. */
async function brokenPromises(omitted?: Omitted): Promise<string[]> {
  const broken: string[] = [];
  for (let cutAt = 1; ; cutAt++) {
    const fs = new CrashFs(omitted);
    const state = await runUntilCut(fs, cutAt);
    for (const coin of COINS) {
      const promise = await brokenPromise(fs.crash(coin), state);
      if (promise !== null) broken.push(`cut at ${cutAt}: ${promise}`);
    }
    if (fs.changes < cutAt) return broken;
  }
}

describe('a store on disk, after a power cut at any moment', () => {
  it('holds all it acknowledged, and nothing torn', async () => {
    assert.deepEqual(await brokenPromises(), []);
  });

  it('would lose content if it did not sync its files', async () => {
    assert.match((await brokenPromises('file')).join('\n'), /torn|holds/);
  });

  it('would lose names if it did not sync its folders', async () => {
    assert.match((await brokenPromises('directory')).join('\n'), /holds null/);
  });

  it('does not acknowledge a blob that an unfinished writer left without syncing its folder', async () => {
    const before = new CrashFs();
    await openDiskStore(ROOT, { create: true, fs: before });
    const syncs: string[] = [];
    const dying = Object.assign(Object.create(before) as CrashFs, {
      syncDirectory: (path: string) =>
        path.endsWith('/b') ? new Promise<never>(() => undefined) : before.syncDirectory(path),
    });
    const first = await openDiskStore(ROOT, { fs: dying });
    void first.put('a/b/c', blob(1));
    while ((await before.stat(`${ROOT}/a/b/c`).catch(() => null)) === null) await new Promise(setImmediate);
    const second = await openDiskStore(ROOT, { fs: before });
    assert.equal(await second.put('a/b/c', blob(1), { ifAbsent: true }), 'exists');
    syncs.push('acknowledged');
    const after = await openDiskStore(ROOT, { fs: before.crash(() => 0) });
    assert.equal((await after.stat('a/b/c'))?.size, SIZE + 1);
  });
});
