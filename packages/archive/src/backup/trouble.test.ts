import assert from 'node:assert/strict';
import { linkSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import type { ArchiveEndpoint, ArchiveSession } from '../endpoint/endpoint.ts';
import { ArchiveError } from '../errors.ts';
import { KIND } from '../format/kinds.ts';
import { scan } from '../restore/testing/scan.ts';
import { folderPrefix } from '../store/layout.ts';
import { Fixture, noise } from './testing/fixture.ts';
import type { Trouble } from './testing/troubled-source.ts';

function fixture(t: TestContext): Fixture {
  const made = new Fixture();
  t.after(() => made.remove());
  return made;
}

/** A source that lets things happen to files while they are read. */
const troubled = (data: Trouble) => ({ module: new URL('./testing/troubled-source.ts', import.meta.url).href, data });

/** Sessions of `endpoint` with some methods replaced. */
function withSessions(
  endpoint: ArchiveEndpoint,
  change: (session: ArchiveSession) => Partial<ArchiveSession>,
): ArchiveEndpoint {
  return new Proxy(endpoint, {
    get: (target, key) => {
      if (key !== 'openSession') {
        const value = Reflect.get(target, key);
        return typeof value === 'function' ? value.bind(target) : value;
      }
      return async (...args: Parameters<ArchiveEndpoint['openSession']>) => {
        const session = await target.openSession(...args);
        const changed = change(session);
        return new Proxy(session, {
          get: (inner, name) => {
            const value = Reflect.get(name in changed ? changed : inner, name);
            return typeof value === 'function' ? value.bind(name in changed ? changed : inner) : value;
          },
        });
      };
    },
  });
}

async function packNames(f: Fixture): Promise<string[]> {
  const names: string[] = [];
  for await (const { name } of f.store.list(folderPrefix(f.keys.archiveId, 'packs'))) names.push(name);
  return names;
}

describe('files that change while they are read', () => {
  const cases: { name: string; trouble: Trouble; check: (f: Fixture, content: string | undefined) => void }[] = [
    {
      name: 'a small file that vanishes is left out and told',
      trouble: { small: { path: 'small', before: 'remove' } },
      check: (f, content) => {
        assert.equal(content, undefined);
        assert.deepEqual(
          f.ofKind('skipped').map(({ reason }) => reason),
          ['vanished'],
        );
      },
    },
    {
      name: 'a small file that grows is stored as far as it was read',
      trouble: { small: { path: 'small', after: 'append' } },
      check: (_f, content) => assert.equal(content, 'small content, and more'),
    },
    {
      name: 'a small file that shrinks is stored as far as it was read',
      trouble: { small: { path: 'small', before: 'truncate' } },
      check: (_f, content) => assert.equal(content, ''),
    },
    {
      name: 'a small file that becomes a large one is stored whole',
      trouble: { small: { path: 'small', before: 'enlarge' } },
      check: (_f, content) => assert.equal(content?.length, 1_000_000),
    },
    {
      name: 'a file that may not be read any more is left out and told',
      trouble: { small: { path: 'small', before: 'deny' } },
      check: (f, content) => {
        assert.equal(content, undefined);
        assert.deepEqual(
          f.ofKind('skipped').map(({ reason }) => reason),
          ['EACCES'],
        );
      },
    },
    {
      name: 'a large file that shrinks to a small one is stored as far as it was read',
      trouble: { small: { path: 'large', before: 'truncate' } },
      check: (f) => assert.equal(f.ofKind('skipped').length, 0),
    },
  ];
  for (const { name, trouble, check } of cases) {
    it(name, async (t) => {
      const f = fixture(t);
      f.file('other', 'o');
      f.file('small', 'small content');
      f.file('large', noise('large', 400_000));
      await f.backup({ source: troubled(trouble) });
      const { folder } = await f.restore();
      const restored = scan(folder);
      assert.equal(restored['other']?.content, 'o');
      check(f, restored['small']?.content);
      await f.backup();
      const after = await f.restore();
      assert.deepEqual(scan(after.folder), scan(f.root));
    });
  }

  it('what may not be read any more keeps its last content', async (t) => {
    const f = fixture(t);
    f.file('a/kept', 'as it was');
    f.file('b/inside/deep', 'deep');
    await f.backup();
    f.file('a/kept', 'changed');
    f.file('b/inside/new', 'new');
    await f.backup({ source: troubled({ small: { path: 'a/kept', before: 'deny' }, unreadable: 'b/inside' }) });
    assert.deepEqual(
      f
        .ofKind('skipped')
        .map(({ path, reason }) => `${Buffer.from(path).toString().slice(f.root.length)} ${reason}`)
        .sort(),
      ['/a/kept EACCES', '/b/inside EACCES'],
    );
    const { folder } = await f.restore({ includeGone: true });
    assert.equal(scan(folder)['a/kept']?.content, 'as it was');
    assert.equal(scan(folder)['b/inside/deep']?.content, 'deep');
    await f.backup();
    const after = await f.restore({ includeGone: true });
    assert.deepEqual(scan(after.folder), scan(f.root));
  });

  it('a file that changed a moment ago is read again next time', async (t) => {
    const f = fixture(t);
    f.file('fresh', 'fresh');
    await f.backup({ source: troubled({}) });
    const result = await f.backup({ source: troubled({}) });
    assert.equal(result.kind, 'current');
    assert.equal(result.stats.entriesRead, 1);
  });

  it('a root that is not there stays as it was', async (t) => {
    const f = fixture(t);
    f.file('disk/photo', 'p');
    f.file('other/file', 'o');
    const roots = ['disk', 'other'].map((name) => Buffer.from(join(f.root, name)));
    await f.backup({ roots });
    rmSync(join(f.root, 'disk'), { recursive: true });
    f.file('other/second', 's');
    await f.backup({ roots });
    assert.deepEqual(
      f.ofKind('skipped').map(({ reason }) => reason),
      ['ENOENT'],
    );
    const { folder } = await f.restore();
    assert.deepEqual(Object.keys(scan(folder)), ['disk', 'disk/photo', 'other', 'other/file', 'other/second']);
  });
});

describe('a destination that lost something', () => {
  async function twoBackups(t: TestContext): Promise<Fixture> {
    const f = fixture(t);
    for (let i = 0; i < 30; i++) f.file(`d${i % 3}/f${i}`, noise(`f${i}`, 3000));
    f.file('d1/large', noise('large', 500_000));
    linkSync(f.file('d0/one', noise('linked', 2000)), join(f.root, 'd2/other name of one'));
    await f.backup();
    return f;
  }

  it('gets a lost pack again, although no file changed', async (t) => {
    const f = await twoBackups(t);
    for (const name of await packNames(f)) await f.store.delete(name);
    const result = await f.backup();
    assert.ok(result.stats.entriesRead > 30);
    const { folder } = await f.restore();
    assert.deepEqual(scan(folder), scan(f.root));
  });

  it('may refuse trees, and gets what they link and the trees again', async (t) => {
    const f = await twoBackups(t);
    const endpoint = await f.endpoint();
    const session = await endpoint.openSession('check');
    const ids = (await f.stored()).filter(({ kind }) => kind === KIND.bundle || kind === KIND.data).map(({ id }) => id);
    f.file('d0/new', 'new');
    // The loss happens after the question what is present: the answer to a tree is the first that shows it.
    let reported = false;
    const losing = withSessions(endpoint, (inner) => ({
      present: async (...args) => {
        const answer = await inner.present(...args);
        if (!reported) await session.reportLost(Buffer.from(ids.join(''), 'hex'));
        reported = true;
        return answer;
      },
    }));
    const result = await f.backup({ endpoint: losing });
    assert.ok(f.ofKind('missing').length >= 1);
    assert.ok(result.stats.rounds > 1);
    const { folder } = await f.restore();
    assert.deepEqual(scan(folder), scan(f.root));
  });

  it('that never has enough ends the run with links_missing', async (t) => {
    const f = await twoBackups(t);
    f.file('d0/new', 'new');
    const [some] = await f.stored();
    const refusing = withSessions(await f.endpoint(), () => ({
      commit: async () => {
        throw new ArchiveError('links_missing', { ids: [Buffer.from(some!.id, 'hex')] });
      },
    }));
    await assert.rejects(f.backup({ endpoint: refusing }), { code: 'links_missing' });
    assert.equal(f.ofKind('missing').length, 3);
    assert.equal((await f.snapshots()).length, 1);
  });

  it('is offered a snapshot again that it lost', async (t) => {
    const f = await twoBackups(t);
    f.file('d0/second', '2');
    await f.backup();
    const names: string[] = [];
    for await (const { name } of f.store.list(folderPrefix(f.keys.archiveId, 'snapshots'))) names.push(name);
    for (const name of names) await f.store.delete(name);
    f.file('d0/third', '3');
    const result = await f.backup();
    assert.deepEqual(
      f.ofKind('chain').map(({ problem }) => problem),
      ['lost'],
    );
    assert.equal(result.kind === 'committed' && result.sequence, 3);
    assert.deepEqual(
      (await f.snapshots()).map(({ envelope }) => envelope.sequence),
      [2, 3],
    );
  });
});

describe('a session that ends', () => {
  it('is replaced, and no pack is sent again', async (t) => {
    const f = fixture(t);
    for (let i = 0; i < 6; i++) f.file(`big${i}`, noise(`big${i}`, 12_000_000));
    const sent: string[] = [];
    let sessions = 0;
    const endpoint = withSessions(await f.endpoint(), (inner) => {
      sessions++;
      let left = 2;
      return {
        putPack: async (id, bytes, signal) => {
          if (left-- === 0) await inner.close();
          const result = await inner.putPack(id, bytes, signal);
          sent.push(Buffer.from(id).toString('hex'));
          return result;
        },
      };
    });
    await f.backup({ endpoint });
    assert.ok(sessions > 1);
    assert.equal(new Set(sent).size, sent.length);
    const { folder } = await f.restore();
    assert.deepEqual(scan(folder), scan(f.root));
  });

  it('is not needed while the store is away for a moment', async (t) => {
    const f = fixture(t);
    f.file('a', 'a');
    let failures = 1;
    const endpoint = withSessions(await f.endpoint(), (inner) => ({
      commit: async (...args) => {
        if (failures-- > 0) throw new ArchiveError('store_unavailable');
        return inner.commit(...args);
      },
    }));
    const result = await f.backup({ endpoint });
    assert.equal(result.kind, 'committed');
    assert.deepEqual(
      f.ofKind('waiting').map(({ why }) => why),
      ['store_unavailable', null],
      'and that it goes on',
    );
  });

  it('is not waited for where the endpoint has waited itself', async (t) => {
    const f = fixture(t);
    f.file('a', 'a');
    let asked = 0;
    const endpoint = withSessions(await f.endpoint(), () => ({
      commit: async () => {
        asked++;
        throw new ArchiveError('store_full');
      },
    }));
    await assert.rejects(f.backup({ endpoint, patienceMs: 0 }), { code: 'store_full' });
    assert.equal(asked, 1);
    assert.deepEqual(f.ofKind('waiting'), []);
  });
});

describe('a cache that is no use', () => {
  const caches = (f: Fixture) => readdirSync(f.cacheDir).filter((name) => name.endsWith('.cache'));

  it('may be lost: nothing small is stored twice, and deleted files stay', async (t) => {
    const f = fixture(t);
    for (let i = 0; i < 50; i++) f.file(`d${i % 5}/f${i}`, noise(`f${i}`, 2000));
    f.file('d1/lost', 'deleted soon');
    const first = await f.backup();
    rmSync(join(f.root, 'd1/lost'));
    await f.backup();
    rmSync(f.cacheDir, { recursive: true });
    f.file('d0/new', 'new');
    const third = await f.backup();
    assert.deepEqual(
      f.ofKind('cache').map(({ problem }) => problem),
      ['recovered'],
    );
    assert.ok(third.stats.bytesStored < first.stats.bytesStored / 10, `${third.stats.bytesStored} bytes`);
    const { folder } = await f.restore({ includeGone: true });
    const { 'd1/lost': deleted, ...rest } = scan(folder);
    assert.equal(deleted?.content, 'deleted soon');
    assert.deepEqual(Object.keys(rest), Object.keys(scan(f.root)));
  });

  it('may be damaged anywhere: the backup is right all the same', async (t) => {
    const f = fixture(t);
    for (let i = 0; i < 50; i++) f.file(`d${i % 5}/f${i}`, noise(`f${i}`, 2000));
    await f.backup();
    const [name] = caches(f);
    const path = join(f.cacheDir, name!);
    const whole = readFileSync(path);
    for (const share of [0.0, 0.001, 0.01, 0.3, 0.6, 0.99]) {
      const damaged = Buffer.from(whole);
      const at = Math.floor(share * (whole.length - 1));
      damaged[at] = (damaged[at] as number) ^ 0xff;
      writeFileSync(path, damaged);
      f.file(`d${Math.floor(share * 5)}/new${share}`, `${share}`);
      await f.backup();
      const { folder } = await f.restore();
      assert.deepEqual(scan(folder), scan(f.root), `damaged at ${at}`);
    }
  });

  it('may belong to another archive: it is not taken for ours', async (t) => {
    const f = fixture(t);
    f.file('a', 'a');
    await f.backup();
    const other = fixture(t);
    await other.backup({ roots: [Buffer.from(f.root)], cacheDir: f.cacheDir });
    assert.equal(caches(f).length, 2);
    assert.equal((await other.stored()).length > 0, true);
  });
});

describe('a destination that holds more than it lists', () => {
  it('is asked for what is about to be referred to', async (t) => {
    const f = fixture(t);
    for (let i = 0; i < 40; i++) f.file(`d${i % 4}/f${i}`, noise(`f${i}`, 2000));
    const unlisted = async () =>
      withSessions(await f.endpoint(), (inner) => ({
        present: async (...args) => ({ ...(await inner.present(...args)), prefixes: new Uint8Array(0), full: true }),
      }));
    const first = await f.backup({ endpoint: await unlisted() });
    f.file('d1/new', 'new');
    const second = await f.backup({ endpoint: await unlisted() });
    assert.ok(second.stats.bytesStored < first.stats.bytesStored / 10);
    assert.ok(second.stats.entriesRead < 4);
    const { folder } = await f.restore();
    assert.deepEqual(scan(folder), scan(f.root));
    assert.equal((await f.backup({ endpoint: await unlisted() })).kind, 'current');
  });
});
