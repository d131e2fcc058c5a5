import assert from 'node:assert/strict';
import { mkdir, mkdtemp, readdir, rename, rm, stat, symlink, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, sep } from 'node:path';
import { describe, it } from 'node:test';
import { ArchiveError } from '../errors.ts';
import { blobStoreContract } from './contract.ts';
import { openDiskStore } from './disk.ts';
import { type DiskFs, nodeFs } from './disk-fs.ts';

async function temporaryFolder(): Promise<{ path: string; remove: () => Promise<void> }> {
  const path = await mkdtemp(join(tmpdir(), 'holdfast-disk-'));
  return { path, remove: () => rm(path, { recursive: true, force: true }) };
}

async function inFolder(use: (path: string) => Promise<void>): Promise<void> {
  const { path, remove } = await temporaryFolder();
  try {
    await use(path);
  } finally {
    await remove();
  }
}

const withCode = (code: string) => (error: unknown) => error instanceof ArchiveError && error.code === code;
const failing = (code: string, syscall: string): Promise<never> =>
  Promise.reject(Object.assign(new Error(`${code}: ${syscall}`), { code, syscall }));

const NOTHING = new Uint8Array(0);

blobStoreContract('a store on disk', async () => {
  const { path, remove } = await temporaryFolder();
  return { store: await openDiskStore(path, { create: true }), close: remove };
});

blobStoreContract('a store on a disk without hard links', async () => {
  const { path, remove } = await temporaryFolder();
  const fs: DiskFs = { ...nodeFs, link: () => failing('EPERM', 'link') };
  return { store: await openDiskStore(path, { create: true, fs }), close: remove };
});

describe('a store on disk', () => {
  it('lets nobody else read', { skip: process.platform === 'win32' }, () =>
    inFolder(async (path) => {
      const store = await openDiskStore(join(path, 'made/for/it'), { create: true });
      await store.put('archives/aa/packs/x', NOTHING);
      const modes = ['', 'tmp', 'archives', 'archives/aa/packs', 'archives/aa/packs/x'].map(
        async (name) => (await stat(join(store.root, name))).mode & 0o777,
      );
      assert.deepEqual(await Promise.all(modes), [0o700, 0o700, 0o700, 0o700, 0o600]);
    }),
  );

  it('is made only when asked to', () =>
    inFolder(async (path) => {
      await assert.rejects(openDiskStore(join(path, 'no')), withCode('store_missing'));
      await assert.rejects(openDiskStore(path), withCode('store_missing'));
      await openDiskStore(path, { create: true });
      await openDiskStore(path);
      await openDiskStore(path, { create: true });
    }));

  it('opens as a copy without its temporary folder', () =>
    inFolder(async (path) => {
      await mkdir(join(path, 'archives'));
      await writeFile(join(path, 'archives', 'a'), 'x');
      const store = await openDiskStore(path);
      assert.equal(Buffer.from(await store.get('archives/a')).toString(), 'x');
    }));

  it('reports nothing as absent, and writes nothing, while its drive is away', () =>
    inFolder(async (path) => {
      const root = join(path, 'drive');
      const store = await openDiskStore(root, { create: true });
      await store.put('archives/a', NOTHING);
      await rename(root, join(path, 'away'));
      await mkdir(root);
      const unavailable = withCode('store_unavailable');
      await assert.rejects(store.get('archives/a'), unavailable);
      await assert.rejects(store.stat('archives/a'), unavailable);
      await assert.rejects(store.delete('archives/a'), unavailable);
      await assert.rejects(Array.fromAsync(store.list('')), unavailable);
      await assert.rejects(store.put('archives/a', NOTHING), unavailable);
      assert.deepEqual(await readdir(root), []);
      await rm(root, { recursive: true });
      await rename(join(path, 'away'), root);
      await store.put('archives/b', NOTHING);
      assert.equal((await store.stat('archives/a'))?.size, 0);
    }));

  it('sees neither links nor what others left in its folders', { skip: process.platform === 'win32' }, () =>
    inFolder(async (path) => {
      const store = await openDiskStore(join(path, 'store'), { create: true });
      await store.put('a/b', NOTHING);
      await writeFile(join(path, 'secret'), 'x');
      await symlink(path, join(store.root, 'a/out'));
      await symlink(join(path, 'secret'), join(store.root, 'a/secret'));
      await writeFile(join(store.root, 'a/.DS_Store'), 'x');
      await mkdir(join(store.root, 'lost+found'));
      assert.deepEqual(
        (await Array.fromAsync(store.list(''))).map(({ name }) => name),
        ['a/b'],
      );
    }),
  );

  it('removes what earlier writers left behind, and nothing of its own', () =>
    inFolder(async (path) => {
      await openDiskStore(path, { create: true });
      const [old, young] = [join(path, 'tmp/old'), join(path, 'tmp/young')];
      const opened = 1_700_000_000_000;
      for (const file of [old, young]) await writeFile(file, 'x');
      await utimes(old, opened / 1000 - 60, opened / 1000 - 60);
      await utimes(young, opened / 1000 + 60, opened / 1000 + 60);
      const store = await openDiskStore(path, { now: () => opened, unique: () => 'mine' });
      const writer = await store.writer();
      await utimes(join(path, 'tmp/mine'), opened / 1000 - 60, opened / 1000 - 60);
      assert.equal(await store.sweepTemporary(), 1);
      assert.deepEqual((await readdir(join(path, 'tmp'))).sort(), ['mine', 'young']);
      await writer.commit('a');
      assert.equal((await store.stat('a'))?.size, 0);
    }));

  for (const [code, expected] of [
    ['ENOSPC', 'store_full'],
    ['EDQUOT', 'store_full'],
    ['EROFS', 'store_denied'],
    ['EACCES', 'store_denied'],
    ['EIO', 'store_unavailable'],
  ] as const) {
    it(`says ${expected} for ${code}, at any step, and leaves nothing behind`, () =>
      inFolder(async (path) => {
        for (const step of ['write', 'sync', 'rename', 'syncDirectory'] as const) {
          const store = await openDiskStore(path, { create: true, fs: breaking(step, code) });
          await assert.rejects(store.put('a/b', Uint8Array.of(1)), withCode(expected));
          assert.deepEqual(await readdir(join(path, 'tmp')), []);
        }
      }));
  }
});

/** The file system of this machine, one of whose calls fails. */
function breaking(step: 'write' | 'sync' | 'rename' | 'syncDirectory', code: string): DiskFs {
  if (step === 'rename') return { ...nodeFs, rename: () => failing(code, step) };
  if (step === 'syncDirectory')
    return {
      ...nodeFs,
      syncDirectory: (path) => (path.endsWith(`${sep}a`) ? failing(code, 'fsync') : nodeFs.syncDirectory(path)),
    };
  return {
    ...nodeFs,
    create: async (path) => ({ ...(await nodeFs.create(path)), [step]: () => failing(code, step) }),
  };
}
