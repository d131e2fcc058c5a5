import assert from 'node:assert/strict';
import { chownSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { toHex } from '../format/ids.ts';
import { KIND } from '../format/kinds.ts';
import { ABILITIES } from '../target/testing/abilities.ts';
import { type RestoreEvent, restore } from './restore.ts';
import {
  Builder,
  type BuiltArchive,
  buildArchive,
  type DirectoryNode,
  file,
  type Node,
  tree,
} from './testing/archive-builder.ts';
import { expected, scan } from './testing/scan.ts';

const numbers = (count: number) => Array.from({ length: count }, (_, i) => i).join(' ');

describe('a restore that cannot bring everything back', () => {
  let dir: string;
  before(() => {
    dir = mkdtempSync(join(tmpdir(), 'holdfast-damage-'));
  });
  after(() => rmSync(dir, { recursive: true, force: true }));
  const fresh = () => mkdtempSync(join(dir, 'to-'));
  const into = ({ endpoint, keys, root }: BuiltArchive, to: string) =>
    restore({ endpoint, keys, root, target: { dir: to } });

  /** The chunks that the entries at these names need, damaged in the store. */
  function damaging(node: DirectoryNode, name: string): (builder: Builder) => void {
    return (builder) => {
      const same = new Builder(builder.keys);
      same.entries({ [name]: node.children[name] as Node });
      for (const { id, kind } of same.frames.values()) {
        const frame = builder.frames.get(toHex(id))?.frame.slice();
        assert.ok(frame !== undefined);
        frame[frame.length - 1] = (frame[frame.length - 1] as number) ^ 0xff;
        builder.add({ id, kind, frame });
      }
    };
  }

  it('lists what is damaged with its code, restores the rest, and reports the chunks so that a backup heals them', async () => {
    const node = tree({ a: numbers(200), bad: `bad ${numbers(100)}`, c: tree({ d: 'd' }) });
    const archive = await buildArchive(node, {}, damaging(node, 'bad'));
    const to = fresh();
    const result = await into(archive, to);
    assert.equal(result.ok, false);
    assert.deepEqual(
      result.damaged.map(({ path, code }) => [Buffer.from(path).toString(), code]),
      [['bad', 'chunk_seal_broken']],
    );
    const { bad: _, ...rest } = expected(node);
    assert.deepEqual(scan(to), rest);
    const session = await archive.endpoint.openSession('backup');
    const id = result.damaged[0]?.id as Uint8Array;
    assert.deepEqual([...(await session.ask(id))], [0]);
    assert.deepEqual([...(await session.ask(archive.root))], [0]); // whatever reaches it is stored again as well
  });

  it('restores the other names of a file when the first one fails, and leaves no half file', async () => {
    const shared = file(numbers(100), { group: 1 });
    const node = tree({ a: shared, b: shared, c: 'c' });
    const archive = await buildArchive(node, {}, damaging(node, 'a'));
    const to = fresh();
    const { damaged } = await into(archive, to);
    assert.deepEqual(
      damaged.map(({ path }) => Buffer.from(path).toString()),
      ['a', 'b'],
    );
    assert.deepEqual(readdirSync(to), ['c']);
  });

  it('lists a directory whose tree is damaged, and restores what is beside it', async () => {
    const node = tree({ a: 'a', d: tree({ x: 'x' }), z: 'z' });
    const archive = await buildArchive(node, {}, (builder) => {
      const same = new Builder(builder.keys);
      const lost = toHex(same.directory(node.children['d'] as DirectoryNode));
      assert.equal(builder.frames.get(lost)?.kind, KIND.tree);
      builder.frames.delete(lost);
    });
    const to = fresh();
    const { damaged, ok } = await into(archive, to);
    assert.equal(ok, false);
    assert.deepEqual(
      damaged.map(({ path, code }) => [Buffer.from(path).toString(), code]),
      [['d', 'chunk_missing']],
    );
    assert.deepEqual(Object.keys(scan(to)), ['a', 'd', 'z']);
  });

  it('counts more than it lists, and tells each as an event', async () => {
    const files = Object.fromEntries(
      Array.from({ length: 1500 }, (_, i) => [`f${i}`, file('x', { mtime: { sec: 2 ** 45, nsec: 0 } })]),
    );
    const { endpoint, keys, root } = await buildArchive(tree(files), { part: 2000 });
    const events: RestoreEvent[] = [];
    const result = await restore({
      endpoint,
      keys,
      root,
      target: { dir: fresh() },
      onEvent: (event) => events.push(event),
    });
    assert.equal(result.ok, true);
    assert.deepEqual([result.skipped.length, result.skippedCount], [1000, 1500]);
    assert.deepEqual([result.skipped[0]?.reason, result.skipped[0]?.restored], ['times', true]);
    assert.equal(events.filter(({ kind }) => kind === 'skipped').length, 1500);
  });

  it('without the rights of root: restores the content, and lists the owners, setuid bits and devices that it could not', {
    skip: !(ABILITIES.owners && ABILITIES.devices) && 'needs all rights of root, to give them up',
  }, async () => {
    const node = tree({
      mine: file('mine', { uid: 65_534, gid: 65_534, mode: 0o640 }),
      root: file('of root', { uid: 0, gid: 0, mode: 0o4755 }),
      dev: { type: 'char', device: [1, 3] },
      dir: tree({ x: file('x', { uid: 65_534, gid: 65_534 }) }, { uid: 65_534, gid: 65_534, mode: 0o2551 }),
    });
    const archive = await buildArchive(node);
    const to = fresh();
    chownSync(dir, 65_534, 65_534);
    chownSync(to, 65_534, 65_534);
    const result = await asNobody(() =>
      restore({ endpoint: archive.endpoint, keys: archive.keys, root: archive.root, target: { dir: to }, workers: 0 }),
    );
    const listed = result.skipped.map(({ path, reason, restored }) => `${Buffer.from(path)} ${reason} ${restored}`);
    assert.deepEqual(listed.sort(), ['dev type false', 'root owner true', 'root setuid true']);
    assert.equal(result.ok, false);
    const found = scan(to);
    const wanted = expected(node);
    assert.deepEqual(found['mine'], wanted['mine']);
    assert.deepEqual(found['dir'], wanted['dir']);
    assert.deepEqual(found['root'], { ...wanted['root'], owner: '65534:65534', mode: 0o755 });
    const again = await asNobody(() =>
      restore({ endpoint: archive.endpoint, keys: archive.keys, root: archive.root, target: { dir: to }, workers: 0 }),
    );
    assert.deepEqual([again.unchanged, again.renamed], [3, []]);
  });
});

async function asNobody<T>(act: () => Promise<T>): Promise<T> {
  const { setegid, seteuid, setgroups, getgroups } = process;
  assert.ok(setegid && seteuid && setgroups && getgroups);
  const groups = getgroups();
  setgroups([]);
  setegid(65_534);
  seteuid(65_534);
  try {
    return await act();
  } finally {
    seteuid(0);
    setegid(0);
    setgroups(groups);
  }
}
