// The contract of blob-store.ts as tests: every implementation passes `blobStoreContract`; one that fails by nature (a faulty
// medium) passes `hostileBlobStoreContract`, which asks only for what must hold however often calls fail.

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { ArchiveError, type ArchiveErrorCode } from '../errors.ts';
import type { BlobInfo, BlobStore } from './blob-store.ts';

/** An empty store, and how it is cleared away. */
export type OpenStore = () => Promise<{ readonly store: BlobStore; readonly close: () => Promise<void> }>;

type Check = (store: BlobStore) => Promise<void>;

export function blobStoreContract(what: string, open: OpenStore): void {
  describe(`${what} keeps the contract of a store`, () => {
    for (const [name, check] of Object.entries(CHECKS)) it(name, () => withStore(open, check));
    it('answers any sequence of calls as a plain map would', () => likeAMap(open));
  });
}

/** `open` gives a store whose calls fail now and then; the seed is a new one each time. */
export function hostileBlobStoreContract(what: string, open: (seed: number) => ReturnType<OpenStore>): void {
  describe(`${what} loses nothing it acknowledged`, () => {
    it('whatever resolved is there, whatever failed is there whole or not at all', () => keepsPromises(open));
  });
}

const CHECKS: Readonly<Record<string, Check>> = {
  'gives back what was put, whole and in ranges': async (store) => {
    assert.equal(await store.put('a/b', bytes(1, 2, 3, 4)), 'stored');
    assert.deepEqual(plain(await store.get('a/b')), [1, 2, 3, 4]);
    assert.deepEqual(plain(await store.get('a/b', { offset: 1, length: 2 })), [2, 3]);
    assert.deepEqual(plain(await store.get('a/b', { offset: 4, length: 0 })), []);
  },
  'joins several parts, and keeps an empty blob': async (store) => {
    await store.put('parts', [bytes(1), bytes(), bytes(2, 3)]);
    await store.put('empty', bytes());
    assert.deepEqual(plain(await store.get('parts')), [1, 2, 3]);
    assert.deepEqual(plain(await store.get('empty')), []);
    assert.equal((await store.stat('empty'))?.size, 0);
  },
  'keeps megabytes': async (store) => {
    const large = new Uint8Array(5_000_003).map((_, i) => i * 31);
    await store.put('large', large);
    assert.ok(Buffer.from(large).equals(await store.get('large')));
    const middle = await store.get('large', { offset: 4_999_990, length: 13 });
    assert.ok(Buffer.from(large.subarray(4_999_990)).equals(middle));
  },
  'hands out and takes copies': async (store) => {
    const mine = bytes(1, 2);
    await store.put('a', mine);
    mine[0] = 9;
    const first = await store.get('a');
    first[1] = 9;
    assert.deepEqual(plain(await store.get('a')), [1, 2]);
  },
  'replaces, unless told otherwise': async (store) => {
    await store.put('a', bytes(1, 1, 1));
    assert.equal(await store.put('a', bytes(2)), 'stored');
    assert.equal(await store.put('a', bytes(3), { ifAbsent: true }), 'exists');
    assert.deepEqual(plain(await store.get('a')), [2]);
    assert.equal(await store.put('b', bytes(3), { ifAbsent: true }), 'stored');
  },
  'lets one of many win a name': async (store) => {
    const tries = Array.from({ length: 8 }, (_, i) => store.put('n/1', bytes(i), { ifAbsent: true }));
    const results = await Promise.all(tries);
    assert.equal(results.filter((result) => result === 'stored').length, 1);
    assert.deepEqual(plain(await store.get('n/1')), [results.indexOf('stored')]);
  },
  'shows a reader one put or another, never a mixture': async (store) => {
    const of = (value: number): Uint8Array => new Uint8Array(70_000 + value).fill(value);
    await store.put('a', of(0));
    const writes = Array.from({ length: 6 }, (_, i) => store.put('a', of(i + 1)));
    const reads = Array.from({ length: 6 }, () => store.get('a'));
    for (const read of await Promise.all(reads)) {
      assert.equal(read.length, 70_000 + (read[0] as number));
      assert.ok(read.every((value) => value === read[0]));
    }
    await Promise.all(writes);
  },
  'says what is missing or too short': async (store) => {
    await store.put('a', bytes(1, 2, 3));
    await rejects(store.get('b'), 'blob_missing');
    await rejects(store.get('a/b'), 'blob_missing');
    await rejects(store.get('a', { offset: 2, length: 2 }), 'blob_short');
    await rejects(store.get('a', { offset: 4, length: 0 }), 'blob_short');
    await rejects(store.get('a', { offset: -1, length: 1 }), 'blob_short');
    assert.equal(await store.stat('b'), null);
  },
  'takes no folder for a blob': async (store) => {
    await store.put('a/b/c', bytes(1));
    await rejects(store.get('a/b'), 'blob_missing');
    assert.equal(await store.stat('a/b'), null);
  },
  'tells size and time': async (store) => {
    await store.put('a', bytes(1, 2, 3));
    const stat = await store.stat('a');
    assert.equal(stat?.size, 3);
    assert.ok(Number.isSafeInteger(stat.modified) && stat.modified > 0);
  },
  'deletes, and again': async (store) => {
    await store.put('x/a', bytes(1));
    await store.delete('x/a');
    await store.delete('x/a');
    await store.delete('never/there');
    assert.equal(await store.stat('x/a'), null);
    await rejects(store.get('x/a'), 'blob_missing');
    assert.deepEqual(await names(store, ''), []);
    await store.put('x/a', bytes(2));
    assert.deepEqual(plain(await store.get('x/a')), [2]);
  },
  'lists by name, also where folders and files sort differently': async (store) => {
    const all = ['a-b', 'a.b', 'a/b', 'a/c/d', 'a0', 'a_', 'b', 'b-/x', 'b.c/y', 'b0/z', 'c/a/b'];
    for (const name of all.toReversed()) await store.put(name, bytes(1));
    assert.deepEqual(await names(store, ''), all.toSorted());
    assert.deepEqual(await names(store, 'a/'), ['a/b', 'a/c/d']);
    assert.deepEqual(await names(store, 'a'), ['a-b', 'a.b', 'a/b', 'a/c/d', 'a0', 'a_']);
    assert.deepEqual(await names(store, 'b'), ['b', 'b-/x', 'b.c/y', 'b0/z']);
    assert.deepEqual(await names(store, 'd/e/'), []);
  },
  'begins a listing after any text': async (store) => {
    for (const name of ['a/1', 'a/2', 'b/1', 'b-1', 'c']) await store.put(name, bytes(1));
    assert.deepEqual(await names(store, '', 'a/1'), ['a/2', 'b-1', 'b/1', 'c']);
    assert.deepEqual(await names(store, '', 'a/~'), ['b-1', 'b/1', 'c']);
    assert.deepEqual(await names(store, 'b', 'b'), ['b-1', 'b/1']);
    assert.deepEqual(await names(store, 'a/', 'b'), []);
  },
  'lists sizes': async (store) => {
    await store.put('p/a', bytes(1, 2, 3));
    const [info] = await Array.fromAsync(store.list('p/'));
    assert.deepEqual([info?.name, info?.size], ['p/a', 3]);
  },
  'refuses names that leave its folder, or that it keeps for itself': async (store) => {
    for (const name of BAD_NAMES) {
      await rejects(store.put(name, bytes(1)), 'blob_name_invalid');
      await rejects(store.get(name), 'blob_name_invalid');
      await rejects(store.stat(name), 'blob_name_invalid');
      await rejects(store.delete(name), 'blob_name_invalid');
      const writer = await store.writer();
      await writer.write(bytes(1));
      await rejects(writer.commit(name), 'blob_name_invalid');
    }
    for (const prefix of ['../', '/', 'a//', 'tmp/', 'a/../b', 'A', 'a\0'])
      await rejects(Array.fromAsync(store.list(prefix)), 'blob_name_invalid');
    assert.deepEqual(await names(store, ''), []);
  },
  'shows a written blob only once it is committed': async (store) => {
    const writer = await store.writer();
    // A Buffer, of which slice() is a view
    const chunk = Buffer.from(bytes(1, 2));
    await writer.write(chunk);
    chunk.fill(7);
    await writer.write(chunk);
    assert.deepEqual(await names(store, ''), []);
    assert.equal(await writer.commit('w/1'), 'stored');
    await writer.abort();
    assert.deepEqual(plain(await store.get('w/1')), [1, 2, 7, 7]);
    assert.deepEqual(await names(store, ''), ['w/1']);
  },
  'commits only where there is nothing, when asked to': async (store) => {
    await store.put('w', bytes(1));
    const writer = await store.writer();
    await writer.write(bytes(2));
    assert.equal(await writer.commit('w', { ifAbsent: true }), 'exists');
    assert.deepEqual(plain(await store.get('w')), [1]);
    assert.deepEqual(await names(store, ''), ['w']);
  },
  'forgets what is aborted': async (store) => {
    const writer = await store.writer();
    await writer.write(bytes(1));
    await writer.abort();
    await writer.abort();
    assert.deepEqual(await names(store, ''), []);
  },
  "stops with the signal's reason": async (store) => {
    await store.put('a', bytes(1));
    const reason = new Error('enough');
    await assert.rejects(store.get('a', undefined, AbortSignal.abort(reason)), reason);
    await assert.rejects(Array.fromAsync(store.list('', { signal: AbortSignal.abort(reason) })), reason);
  },
};

/** None of these may reach a medium. */
const BAD_NAMES = [
  '',
  '/',
  '/a',
  'a/',
  'a//b',
  '.',
  '..',
  '../a',
  'a/../b',
  'a/./b',
  '.hidden',
  'a/.b',
  'tmp',
  'tmp/a',
  'A',
  'a b',
  'a\\b',
  'a\0b',
  'ä',
  'c:',
  'a:b',
  `${'a/'.repeat(300)}a`,
  'x'.repeat(129),
  'a\n',
];

type Step =
  | {
      readonly do: 'put' | 'putIfAbsent' | 'commit' | 'commitIfAbsent';
      readonly name: string;
      readonly bytes: Uint8Array;
    }
  | { readonly do: 'delete' | 'get'; readonly name: string }
  | { readonly do: 'list'; readonly prefix: string; readonly after: string };

const someName = fc.constantFrom('a', 'a-a', 'b/a', 'b/b', 'b/c/d', 'b-/c', 'c/x.age', 'c/x/y');
const someStep: fc.Arbitrary<Step> = fc.oneof(
  fc.record({
    do: fc.constantFrom('put', 'putIfAbsent', 'commit', 'commitIfAbsent'),
    name: someName,
    bytes: fc.uint8Array({ maxLength: 20 }),
  }),
  fc.record({ do: fc.constantFrom('delete', 'get'), name: someName }),
  fc.record({ do: fc.constant('list'), prefix: fc.constantFrom('', 'a', 'b', 'b/', 'c/x', 'b/c/'), after: someName }),
);

async function likeAMap(open: OpenStore): Promise<void> {
  await fc.assert(
    fc.asyncProperty(fc.array(someStep, { maxLength: 25 }), (steps) =>
      withStore(open, async (store) => {
        const model = new Map<string, Uint8Array>();
        for (const step of steps) await sameStep(store, model, step);
        assert.deepEqual(await names(store, ''), [...model.keys()].sort());
      }),
    ),
    { numRuns: 30 },
  );
}

async function sameStep(store: BlobStore, model: Map<string, Uint8Array>, step: Step): Promise<void> {
  switch (step.do) {
    case 'get':
      return sameContent(store, model, step.name);
    case 'delete':
      model.delete(step.name);
      return store.delete(step.name);
    case 'list': {
      const expected = [...model.keys()].filter((name) => name.startsWith(step.prefix) && name > step.after).sort();
      assert.deepEqual(await names(store, step.prefix, step.after), expected);
      return;
    }
    default: {
      const ifAbsent = step.do.endsWith('IfAbsent');
      const expected = ifAbsent && model.has(step.name) ? 'exists' : 'stored';
      assert.equal(await putBy(store, step, ifAbsent), expected);
      if (expected === 'stored') model.set(step.name, step.bytes);
    }
  }
}

async function putBy(store: BlobStore, step: Extract<Step, { bytes: unknown }>, ifAbsent: boolean): Promise<string> {
  if (step.do.startsWith('put')) return store.put(step.name, step.bytes, { ifAbsent });
  const writer = await store.writer();
  await writer.write(step.bytes);
  return writer.commit(step.name, { ifAbsent });
}

async function sameContent(store: BlobStore, model: ReadonlyMap<string, Uint8Array>, name: string): Promise<void> {
  const expected = model.get(name);
  if (expected === undefined) await rejects(store.get(name), 'blob_missing');
  else assert.deepEqual(plain(await store.get(name)), [...expected]);
}

/** Puts and deletes fail now and then; afterwards each name holds what a call that may have happened would have left. */
async function keepsPromises(open: (seed: number) => ReturnType<OpenStore>): Promise<void> {
  const puts = fc.array(fc.record({ name: someName, value: fc.nat(255), gone: fc.boolean() }), {
    minLength: 1,
    maxLength: 30,
  });
  await fc.assert(
    fc.asyncProperty(fc.nat(), puts, (seed, steps) =>
      withStore(
        () => open(seed),
        async (store) => {
          const possible = new Map<string, Set<number | null>>();
          for (const step of steps) await tryStep(store, possible, step);
          for (const [name, values] of possible) await isOneOf(store, name, values);
        },
      ),
    ),
    { numRuns: 40 },
  );
}

const SIZE = 1000;

async function tryStep(
  store: BlobStore,
  possible: Map<string, Set<number | null>>,
  { name, value, gone }: { readonly name: string; readonly value: number; readonly gone: boolean },
): Promise<void> {
  const wanted = gone ? null : value;
  const before = possible.get(name) ?? new Set([null]);
  try {
    if (gone) await store.delete(name);
    else await store.put(name, new Uint8Array(SIZE + value).fill(value));
    possible.set(name, new Set([wanted]));
  } catch (error) {
    assertRetryable(error);
    possible.set(name, new Set([...before, wanted]));
  }
}

/** Reads until the store answers: how often it may refuse is its own business, but not for ever. */
async function isOneOf(store: BlobStore, name: string, values: ReadonlySet<number | null>): Promise<void> {
  for (let attempt = 0; attempt < 200; attempt++) {
    try {
      const found = await store.get(name);
      assert.ok(values.has(found[0] as number), `${name} holds what was never put or was replaced`);
      assert.equal(found.length, SIZE + (found[0] as number), `${name} is torn`);
      assert.ok(
        found.every((value) => value === found[0]),
        `${name} is a mixture`,
      );
      return;
    } catch (error) {
      if (error instanceof ArchiveError && error.code === 'blob_missing') {
        assert.ok(values.has(null), `${name} was acknowledged and is gone`);
        return;
      }
      assertRetryable(error);
    }
  }
  assert.fail(`${name} cannot be read in 200 tries`);
}

function assertRetryable(error: unknown): void {
  if (!(error instanceof ArchiveError)) throw error;
  assert.ok(error.retryable, `${error.code} is not retryable`);
}

async function withStore(open: OpenStore, use: Check): Promise<void> {
  const { store, close } = await open();
  try {
    await use(store);
  } finally {
    await close();
  }
}

async function rejects(promise: Promise<unknown>, code: ArchiveErrorCode): Promise<void> {
  await assert.rejects(promise, (error) => {
    assert.ok(error instanceof ArchiveError, String(error));
    assert.equal(error.code, code);
    return true;
  });
}

const bytes = (...values: readonly number[]): Uint8Array => Uint8Array.from(values);
const plain = (found: Uint8Array): number[] => [...found];

async function names(store: BlobStore, prefix: string, after?: string): Promise<string[]> {
  const found: BlobInfo[] = await Array.fromAsync(store.list(prefix, after === undefined ? {} : { after }));
  return found.map(({ name }) => name);
}
