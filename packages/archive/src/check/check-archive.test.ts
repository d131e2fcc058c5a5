import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { openLocalEndpoint } from '../endpoint/local/local-endpoint.ts';
import {
  type ArchiveFixture,
  type FixtureChunk,
  idsOf,
  makeArchiveFixture,
} from '../endpoint/testing/archive-fixture.ts';
import { ArchiveError } from '../errors.ts';
import { ascii } from '../format/bytes.ts';
import { toHex } from '../format/ids.ts';
import { KIND } from '../format/kinds.ts';
import { encodeList } from '../format/list.ts';
import { decodeSnapshotObject, encodeSnapshotObject } from '../format/snapshot.ts';
import { encodeDirectory } from '../format/tree.ts';
import { packName, snapshotName } from '../store/layout.ts';
import { MemoryStore } from '../store/memory.ts';
import { type CheckEvent, type CheckOptions, type CheckResult, checkArchive } from './check-archive.ts';
import type { ChunkProblem } from './problem.ts';

/** An archive whose chunks lie in one pack each, so that each can be damaged alone. */
class Scene {
  readonly a: ArchiveFixture;
  readonly store = new MemoryStore();
  private readonly packs = new Map<string, string>();

  constructor(a: ArchiveFixture) {
    this.a = a;
  }

  /** Past the checks of an endpoint: what a broken or hostile program may have left in a store. */
  async keep(...chunks: readonly FixtureChunk[]): Promise<void> {
    for (const chunk of chunks) {
      const pack = this.a.pack(chunk);
      const name = packName(this.a.archiveId, pack.id);
      this.packs.set(toHex(chunk.id), name);
      await this.store.put(name, pack.bytes);
    }
  }

  async snapshot(root: FixtureChunk, fields: Parameters<ArchiveFixture['snapshot']>[1] = {}): Promise<Uint8Array> {
    await this.keep(...this.a.below(root));
    const { id, object } = await this.a.snapshot(root, fields);
    await this.store.put(snapshotName(this.a.archiveId, id), object);
    return id;
  }

  async lose(chunk: FixtureChunk): Promise<void> {
    await this.store.delete(this.packs.get(toHex(chunk.id)) as string);
  }

  /** Changes one bit of the chunk's frame, as a decaying disk does. */
  async damage(chunk: FixtureChunk): Promise<void> {
    const name = this.packs.get(toHex(chunk.id)) as string;
    const bytes = await this.store.get(name);
    const at = 28 + chunk.frame.length - 1;
    bytes[at] = (bytes[at] as number) ^ 1;
    await this.store.put(name, bytes);
  }

  async check(options: Partial<CheckOptions> = {}): Promise<CheckResult> {
    const { archiveId, keys, devices } = this.a;
    const endpoint = await openLocalEndpoint({ store: this.store, archiveId });
    return checkArchive({ endpoint, keys, devices, workers: 0, ...options });
  }
}

const newScene = async (): Promise<Scene> => new Scene(await makeArchiveFixture());

/** What a user would read: kind, and per snapshot the paths. */
function told(result: CheckResult): Record<string, Record<string, string[]>> {
  const chunks = result.problems.filter((problem): problem is ChunkProblem => 'affected' in problem);
  return Object.fromEntries(
    chunks.map(({ kind, affected }) => [
      kind,
      Object.fromEntries(
        affected.map(({ snapshotId, paths }) => [
          toHex(snapshotId),
          paths.map((path) => new TextDecoder().decode(path)).sort(),
        ]),
      ),
    ]),
  );
}

describe('a check', () => {
  it('finds nothing in a sound archive, and reads as much as it was asked to', async () => {
    const scene = await newScene();
    const { a } = scene;
    const big = a.list(a.data('x'.repeat(2000)), a.data('y'.repeat(2000)));
    const root = a.tree(
      {
        'a.txt': a.bundle('hello'),
        big,
        sub: a.tree({ parts: a.tree({ b: a.data('b') }), many: a.indexed({ a: a.bundle('1') }, { b: a.bundle('2') }) }),
      },
      a.gone({ old: a.bundle('old'), dir: a.tree({ f: a.bundle('deep') }) }),
    );
    const first = await scene.snapshot(root);
    await scene.snapshot(a.tree({ same: root, more: a.data('more') }), { sequence: 2, parent: first });
    const structure = await scene.check();
    const everything = { ...structure, contentRead: 9, bytes: 0 };
    assert.deepEqual(structure, {
      snapshots: 2,
      structure: 10,
      content: 9,
      contentRead: 0,
      contentBytes: 2 * 2000 + 'hello'.length + 'b12'.length + 'old'.length + 'deep'.length + 'more'.length,
      bytes: structure.bytes,
      problems: [],
    });
    assert.deepEqual({ ...(await scene.check({ readData: true })), bytes: 0 }, everything);
    assert.deepEqual({ ...(await scene.check({ readData: true, workers: 2 })), bytes: 0 }, everything);
  });

  it('is content with an archive without snapshots', async () => {
    const result = await (await newScene()).check({ readData: true });
    const nothing = { structure: 0, content: 0, contentRead: 0, contentBytes: 0, bytes: 0 };
    assert.deepEqual(result, { snapshots: 0, ...nothing, problems: [] });
  });

  it('opens in turn all content, a share at a time', async () => {
    const scene = await newScene();
    const { a } = scene;
    const files = Object.fromEntries(Array.from({ length: 60 }, (_, i) => [`f${i}`, a.data(`${i}`)]));
    await scene.snapshot(a.tree(files));
    let read = 0;
    for (const readFrom of [0.3, 0.55, 0.8, 0.05]) {
      const { contentRead } = await scene.check({ readData: 0.25, readFrom });
      assert.ok(contentRead > 0 && contentRead < 60);
      read += contentRead;
    }
    assert.equal(read, 60);
  });

  it('names the snapshots and paths that a missing chunk is needed for', async () => {
    const scene = await newScene();
    const { a } = scene;
    const lost = a.data('lost');
    const shared = a.tree({ lost, safe: a.data('safe') });
    const first = await scene.snapshot(a.tree({ home: shared }));
    const second = await scene.snapshot(a.tree({ home: shared, copy: a.tree({ deep: shared }) }), {
      sequence: 2,
      parent: first,
    });
    await scene.snapshot(a.tree({ other: a.data('safe') }), { sequence: 3, parent: second });
    await scene.lose(lost);
    const expected = { missing: { [toHex(first)]: ['home/lost'], [toHex(second)]: ['copy/deep/lost', 'home/lost'] } };
    assert.deepEqual(told(await scene.check()), expected);
    assert.deepEqual(told(await scene.check({ readData: true })), expected);
  });

  it('finds damaged content only when it reads it', async () => {
    const scene = await newScene();
    const { a } = scene;
    const bad = a.bundle('bad');
    const id = await scene.snapshot(a.tree({ bad, good: a.bundle('good') }));
    await scene.damage(bad);
    assert.deepEqual((await scene.check()).problems, []);
    const result = await scene.check({ readData: true });
    assert.deepEqual(told(result), { damaged: { [toHex(id)]: ['bad'] } });
    assert.equal((result.problems[0] as ChunkProblem).error.code, 'chunk_seal_broken');
  });

  it('goes on beside a damaged tree, part, gone tree or list', async () => {
    const scene = await newScene();
    const { a } = scene;
    const [dir, gone, list] = [
      a.tree({ x: a.data('x') }),
      a.gone({ g: a.data('g') }),
      a.list(a.data('l'.repeat(1500))),
    ];
    const many = a.indexed({ a: a.data('a') }, { b: a.data('b') });
    const part = many.children[1] as FixtureChunk;
    const id = await scene.snapshot(a.tree({ dir, list, many, ok: a.tree({ file: a.data('ok') }) }, gone));
    for (const chunk of [dir, gone, list, part]) await scene.damage(chunk);
    const result = await scene.check();
    const paths = result.problems.map((problem) => (problem as ChunkProblem).affected);
    assert.deepEqual(
      paths
        .map(([one]) => [
          toHex(one?.snapshotId ?? id),
          ...(one?.paths ?? []).map((path) => new TextDecoder().decode(path)),
        ])
        .sort(),
      [
        [toHex(id), ''],
        [toHex(id), 'dir'],
        [toHex(id), 'list'],
        [toHex(id), 'many'],
      ].sort(),
    );
    assert.deepEqual([result.structure, result.content], [4, 2]);
  });

  it('says so when a root is gone', async () => {
    const scene = await newScene();
    const root = scene.a.tree({ a: scene.a.data('a') });
    const id = await scene.snapshot(root);
    await scene.lose(root);
    assert.deepEqual(told(await scene.check()), { missing: { [toHex(id)]: [''] } });
  });

  it('finds links to chunks of another kind', async () => {
    const scene = await newScene();
    const { a } = scene;
    const inner = a.tree({ a: a.data('a') });
    const common = { mode: 0, uid: 0, gid: 0, mtime: { sec: 0, nsec: 0 } };
    const posing = {
      ...common,
      name: ascii('f'),
      type: 'file',
      size: 1,
      segments: [{ id: inner.id, offset: 0, length: 1 }],
    } as const;
    const { links, body } = encodeDirectory({ entries: [posing] });
    const wrong = a.seal(KIND.tree, body, links, [inner]);
    const asDirectory = { ...common, name: ascii('d'), type: 'directory', tree: a.data('a').id } as const;
    const other = encodeDirectory({ entries: [asDirectory] });
    const wrongToo = a.seal(KIND.tree, other.body, other.links, [a.data('a')]);
    const id = await scene.snapshot(a.tree({ wrong, wrongToo }));
    for (const readData of [false, true]) {
      const result = await scene.check({ readData });
      const kinds = result.problems.map((problem) => [
        problem.kind,
        ...(problem as ChunkProblem).affected.flatMap(({ paths }) =>
          paths.map((path) => new TextDecoder().decode(path)),
        ),
      ]);
      assert.deepEqual(kinds.sort(), [
        ['wrongKind', 'wrong/f'],
        ['wrongKind', 'wrongToo/d'],
      ]);
      assert.ok(
        result.problems.every((problem) =>
          (problem as ChunkProblem).affected.every(({ snapshotId }) => toHex(snapshotId) === toHex(id)),
        ),
      );
    }
  });

  it('finds a file that is cut from more than its chunk holds, in whatever order it is met', async () => {
    const scene = await newScene();
    const { a } = scene;
    const chunk = a.bundle('12345');
    const reading = (name: string, length: number): FixtureChunk => {
      const file = { name: ascii(name), type: 'file', mode: 0, uid: 0, gid: 0, mtime: { sec: 0, nsec: 0 } } as const;
      const { links, body } = encodeDirectory({
        entries: [{ ...file, size: length, segments: [{ id: chunk.id, offset: 0, length }] }],
      });
      return a.seal(KIND.tree, body, links, [chunk]);
    };
    const [fits, long] = [reading('fits', 5), reading('long', 6)];
    await scene.snapshot(a.tree({ fits }));
    assert.deepEqual((await scene.check({ readData: true })).problems, []);
    await scene.snapshot(a.tree({ fits, long }), { deviceTime: 2, setId: new Uint8Array(16) });
    assert.deepEqual(Object.keys(told(await scene.check({ readData: true }))), ['short']);
  });

  it('finds a list that is not as long as its file', async () => {
    const scene = await newScene();
    const { a } = scene;
    const chunk = a.data('x'.repeat(3000));
    const { links, body } = encodeList({ segments: [{ id: chunk.id, offset: 0, length: 2000 }] });
    const list = a.seal(KIND.list, body, links, [chunk]);
    const id = await scene.snapshot(a.tree({ file: list }));
    assert.deepEqual(told(await scene.check()), { invalid: { [toHex(id)]: ['file'] } });
  });

  it('finds a tree that does not decode', async () => {
    const scene = await newScene();
    const { a } = scene;
    const broken = a.seal(KIND.tree, Uint8Array.of(0xff), new Uint8Array(0));
    const id = await scene.snapshot(a.tree({ broken }));
    assert.deepEqual(told(await scene.check()), { invalid: { [toHex(id)]: ['broken'] } });
  });

  it('counts no snapshot that is damaged, forged, or of a device it does not know', async () => {
    const scene = await newScene();
    const { a, store } = scene;
    await scene.snapshot(a.tree({}));
    const { id, object } = await a.snapshot(a.tree({}), { deviceTime: 2 });
    const parts = decodeSnapshotObject(object);
    const zero = new Uint8Array(64);
    const stranger = await a.snapshot(a.tree({}), { deviceId: new Uint8Array(16) });
    const wrong: Record<string, Uint8Array> = {
      signature_invalid: encodeSnapshotObject({ ...parts, signature: zero }),
      snapshot_mac_invalid: encodeSnapshotObject({ ...parts, mac: zero.subarray(32) }),
      format_invalid: encodeSnapshotObject({ ...parts, description: zero }),
      device_unknown: stranger.object,
    };
    for (const [code, bytes] of Object.entries(wrong)) {
      await store.put(snapshotName(a.archiveId, id), bytes);
      const result = await scene.check();
      const [problem] = result.problems;
      assert.ok(problem?.kind === 'snapshot' && result.problems.length === 1);
      assert.equal(problem.error.code, code);
      assert.deepEqual(toHex(problem.snapshotId), toHex(id));
      assert.equal(result.snapshots, 1);
    }
    await store.put(snapshotName(a.archiveId, id), Uint8Array.of(1, 2, 3));
    const [garbage] = (await scene.check()).problems;
    assert.ok(garbage?.kind === 'snapshot' && toHex(garbage.snapshotId) === toHex(id));
  });

  it('shows forks and numbers out of order', async () => {
    const scene = await newScene();
    const { a } = scene;
    const first = await scene.snapshot(a.tree({}));
    const one = await scene.snapshot(a.tree({}), { sequence: 2, parent: first });
    const two = await scene.snapshot(a.tree({}), { sequence: 2, parent: first, deviceTime: 5 });
    const late = await scene.snapshot(a.tree({}), { sequence: 7, parent: one });
    const { problems } = await scene.check();
    const found = problems.map((problem) => [
      problem.kind,
      ...('snapshotIds' in problem ? problem.snapshotIds.map(toHex) : []),
    ]);
    const [fork, order] = [found.find(([kind]) => kind === 'fork'), found.find(([kind]) => kind === 'order')];
    assert.equal(found.length, 2);
    assert.deepEqual(fork?.slice(1).sort(), [one, two].map(toHex).sort());
    assert.deepEqual(order?.slice(1), [toHex(one), toHex(late)]);
  });

  it('reports what is lost when asked to, and only then', async () => {
    const scene = await newScene();
    const { a } = scene;
    const [gone, bad, safe] = [a.data('gone'), a.data('bad'), a.data('safe')];
    const [hurt, whole] = [a.tree({ gone }), a.tree({ safe })];
    await scene.snapshot(a.tree({ hurt, whole, bad }));
    await scene.damage(bad);
    const endpoint = await openLocalEndpoint({ store: scene.store, archiveId: a.archiveId });
    await scene.lose(gone);
    const present = async (): Promise<number[]> => [
      ...(await (await endpoint.openSession('backup')).ask(idsOf(gone, hurt, bad, safe, whole))),
    ];
    assert.deepEqual((await scene.check({ endpoint, readData: true })).problems.map(({ kind }) => kind).sort(), [
      'damaged',
      'missing',
    ]);
    assert.deepEqual(await present(), [1, 1, 1, 1, 1]);
    await scene.check({ endpoint, readData: true, report: true });
    assert.deepEqual(await present(), [0, 0, 0, 1, 1]);
  });

  it('tells problems as it finds them, and how far it is', async () => {
    const scene = await newScene();
    const { a } = scene;
    const lost = a.data('lost');
    await scene.snapshot(a.tree({ lost }));
    await scene.lose(lost);
    const events: CheckEvent[] = [];
    await scene.check({ onEvent: (event) => events.push(event) });
    assert.deepEqual(events[0], { kind: 'snapshots', verified: 1, refused: 0 });
    assert.deepEqual([...new Set(events.map(({ kind }) => kind))], ['snapshots', 'progress', 'problem', 'tracing']);
  });

  it('stops when it is aborted, and fails when the archive cannot be asked', async () => {
    const scene = await newScene();
    const { a } = scene;
    await scene.snapshot(a.tree({ x: a.data('x') }));
    await assert.rejects(scene.check({ signal: AbortSignal.abort(new Error('enough')) }), /enough/);
    const controller = new AbortController();
    const onEvent = ({ kind }: CheckEvent): void => void (kind === 'snapshots' && controller.abort(new Error('later')));
    await assert.rejects(scene.check({ signal: controller.signal, onEvent }), /later/);
    const endpoint = await openLocalEndpoint({ store: scene.store, archiveId: a.archiveId });
    endpoint.openSession = () => Promise.reject(new ArchiveError('store_unavailable'));
    await assert.rejects(scene.check({ endpoint }), { code: 'store_unavailable' });
  });

  it('traces through directories a thousand deep', async () => {
    const scene = await newScene();
    const { a } = scene;
    const lost = a.data('lost');
    let root = a.tree({ lost });
    const chunks = [lost, root];
    for (let i = 0; i < 1000; i++) {
      root = a.tree({ d: root });
      chunks.push(root);
    }
    const pack = a.pack(...chunks.slice(1));
    await scene.store.put(packName(a.archiveId, pack.id), pack.bytes);
    const { id, object } = await a.snapshot(root);
    await scene.store.put(snapshotName(a.archiveId, id), object);
    const [problem] = (await scene.check()).problems;
    assert.ok(problem?.kind === 'missing');
    assert.equal(problem.affected[0]?.paths[0]?.length, 1000 * 2 + 4);
  });
});
