import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdirSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { setImmediate } from 'node:timers/promises';
import { temporary } from '../testing/temporary.ts';
import { createWatcher, type Watcher, type WatchState } from './watcher.ts';

const SET = 'home';

/** A watcher on a folder of its own, and a way to wait for what it says. */
async function watching(t: TestContext, globs: string[] = [], prepare: (root: string) => void = () => {}) {
  const dir = temporary(t);
  const root = join(dir, 'root');
  mkdirSync(root);
  prepare(root);
  let wake = () => {};
  const watcher = createWatcher({ probeFolder: join(dir, 'probe'), now: () => 1000, onEvent: () => wake() });
  t.after(() => watcher.close());
  const until = async (holds: () => boolean) => {
    while (!holds()) {
      await new Promise<void>((resolve) => {
        wake = resolve;
      });
    }
  };
  const seen = new Set<string>();
  const changed = async (...folders: string[]) => {
    const wanted = folders.map((folder) => (folder === '' ? root : join(root, folder)));
    await until(() => {
      for (const folder of watcher.take(SET) ?? []) seen.add(folder.toString('latin1'));
      return wanted.every((folder) => seen.has(folder));
    });
    const found = [...seen].map((folder) => folder.slice(root.length + 1));
    seen.clear();
    return found;
  };
  const state = await watcher.subscribe(SET, [Buffer.from(root)], { globs });
  return { dir, root, watcher, state, until, changed };
}

const isLost = (watcher: Watcher) => watcher.state(SET).kind === 'lost';
const why = (state: WatchState) => (state.kind === 'lost' ? state.why.kind : state.kind);

describe('the watcher', () => {
  it('knows nothing, then that nothing changed, then which folder did', async (t) => {
    const { root, watcher, state, changed } = await watching(t, [], (at) =>
      mkdirSync(join(at, 'a/b'), { recursive: true }),
    );
    assert.deepEqual(state, { kind: 'watching', folders: 3, closed: 0 });
    assert.equal(watcher.hint('other'), 'unknown');
    assert.equal(watcher.hint(SET), 'unchanged');
    writeFileSync(join(root, 'a/b/file'), 'x');
    assert.deepEqual(await changed('a/b'), ['a/b']);
    assert.equal(watcher.hint(SET), 'unchanged', 'what was taken is not told again');
  });

  it('reports a new folder with everything in it, and watches it from then on', async (t) => {
    const { root, changed } = await watching(t);
    mkdirSync(join(root, 'new/deep/er'), { recursive: true });
    await changed('', 'new', 'new/deep', 'new/deep/er');
    writeFileSync(join(root, 'new/deep/er/file'), 'x');
    await changed('new/deep/er');
  });

  it('reports a renamed folder whole under its new name, and what changes in it there', async (t) => {
    const { root, changed } = await watching(t, [], (at) => mkdirSync(join(at, 'old/inner'), { recursive: true }));
    renameSync(join(root, 'old'), join(root, 'renamed'));
    await changed('', 'renamed', 'renamed/inner');
    writeFileSync(join(root, 'renamed/inner/file'), 'x');
    assert.ok(!(await changed('renamed/inner')).includes('old/inner'));
  });

  it('reports a folder that came in from outside, whole', async (t) => {
    const { dir, root, changed } = await watching(t);
    mkdirSync(join(dir, 'outside/x/y'), { recursive: true });
    renameSync(join(dir, 'outside'), join(root, 'inside'));
    await changed('inside', 'inside/x', 'inside/x/y');
  });

  it('survives the deletion of a large folder and sees it come back', async (t) => {
    const { root, changed } = await watching(t, [], (at) => {
      for (let i = 0; i < 300; i++) mkdirSync(join(at, `big/${i}/x`), { recursive: true });
    });
    rmSync(join(root, 'big'), { recursive: true });
    await changed('');
    mkdirSync(join(root, 'big/7/x'), { recursive: true });
    await changed('big/7/x');
    writeFileSync(join(root, 'big/7/x/file'), 'x');
    await changed('big/7/x');
  });

  it('sees its root vanish and come back', async (t) => {
    const { root, changed } = await watching(t, [], (at) => mkdirSync(join(at, 'a')));
    rmSync(root, { recursive: true });
    await changed('');
    mkdirSync(join(root, 'a'), { recursive: true });
    await changed('a');
    writeFileSync(join(root, 'a/file'), 'x');
    await changed('a');
  });

  it('takes names as bytes', { skip: process.platform !== 'linux' ? 'names are text there' : false }, async (t) => {
    const odd = Buffer.from([0x6f, 0xff, 0xfe, 0x0a]);
    const { root, changed } = await watching(t);
    mkdirSync(Buffer.concat([Buffer.from(`${root}/`), odd]));
    const folder = odd.toString('latin1');
    await changed(folder);
    writeFileSync(Buffer.concat([Buffer.from(`${root}/`), odd, Buffer.from('/file')]), 'x');
    await changed(folder);
  });

  it('does not look into excluded folders', async (t) => {
    const { root, changed, state } = await watching(t, ['cache/'], (at) =>
      mkdirSync(join(at, 'cache/deep'), { recursive: true }),
    );
    assert.equal(state.kind === 'watching' && state.folders, 1);
    writeFileSync(join(root, 'cache/deep/file'), 'x');
    mkdirSync(join(root, 'kept'));
    assert.deepEqual((await changed('kept')).sort(), ['', 'kept']);
  });

  it('knows nothing any more after a burst, and starts afresh', async (t) => {
    const { root, watcher, changed } = await watching(t);
    const [a, b] = [join(root, 'a'), join(root, 'b')];
    writeFileSync(a, '');
    while (!isLost(watcher)) {
      for (let i = 0; i < 2000; i++) {
        renameSync(a, b);
        renameSync(b, a);
      }
      await setImmediate();
    }
    assert.equal(why(watcher.state(SET)), 'burst');
    assert.equal(watcher.hint(SET), 'unknown');
    assert.equal(watcher.take(SET), null, 'everything has to be walked');
    const state = await watcher.subscribe(SET, [Buffer.from(root)], {});
    assert.equal(state.kind, 'watching');
    writeFileSync(a, 'x');
    await changed('');
  });

  it('tells again what a failed run took', async (t) => {
    const { root, watcher, until } = await watching(t);
    writeFileSync(join(root, 'file'), 'x');
    await until(() => watcher.hint(SET) === 'changed');
    const taken = watcher.take(SET);
    assert.equal(watcher.hint(SET), 'unchanged');
    watcher.giveBack(SET, taken);
    assert.deepEqual(watcher.take(SET), [Buffer.from(root)]);
    watcher.giveBack(SET, null);
    assert.equal(watcher.hint(SET), 'unknown', 'a failed walk of everything leaves nothing to rely on');
  });

  it('replaces a thread that does not hear its probes', async (t) => {
    const { dir, root, watcher, changed } = await watching(t);
    rmSync(join(dir, 'probe'), { recursive: true });
    watcher.probe();
    watcher.probe();
    assert.equal(why(watcher.state(SET)), 'error');
    await watcher.subscribe(SET, [Buffer.from(root)], {});
    writeFileSync(join(root, 'file'), 'x');
    await changed('');
  });

  it('keeps a thread that hears its probes', async (t) => {
    const { root, watcher, changed } = await watching(t);
    for (const name of ['a', 'b', 'c']) {
      watcher.probe();
      mkdirSync(join(root, name)); // comes after the probe, so hearing of it means that the probe was heard
      await changed(name);
    }
    assert.equal(watcher.state(SET).kind, 'watching');
  });

  it('does not rely on a root behind a link', async (t) => {
    const { dir, root, watcher } = await watching(t);
    symlinkSync(root, join(dir, 'link'));
    assert.equal(why(await watcher.subscribe('other', [Buffer.from(join(dir, 'link'))], {})), 'error');
  });

  it('says so when the system allows no more watches', (t) => {
    // a user namespace has limits of its own, so nobody else's are touched
    const dir = temporary(t);
    for (let i = 0; i < 20; i++) mkdirSync(join(dir, `root/${i}`), { recursive: true });
    const source = `
      import { createWatcher } from ${JSON.stringify(new URL('./watcher.ts', import.meta.url).href)};
      const watcher = createWatcher({ probeFolder: ${JSON.stringify(join(dir, 'probe'))}, now: () => 0, onEvent: () => {} });
      const keep = setInterval(() => {}, 1000);
      const state = await watcher.subscribe('home', [Buffer.from(${JSON.stringify(join(dir, 'root'))})], {});
      console.log(state.kind + ' ' + state.why?.kind);
      await watcher.close(); clearInterval(keep);`;
    const limit = 'echo 10 > /proc/sys/user/max_inotify_watches && exec "$@"';
    const run = (script: string, ...args: string[]) =>
      spawnSync('unshare', ['-Ur', 'sh', '-c', script, 'sh', ...args], { encoding: 'utf8' });
    if (run(limit, 'true').status !== 0) return t.skip('no user namespaces here');
    const { stdout, stderr } = run(limit, process.execPath, '-e', source);
    assert.equal(stdout.trim(), 'lost limit', stderr);
  });
});
