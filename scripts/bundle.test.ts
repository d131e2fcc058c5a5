/** The bundle does what the source does: every thread that a program starts and every file that it looks for is in it. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { after, before, describe, it } from 'node:test';
import { bundle } from './bundle.ts';
import {
  answer,
  freePorts,
  holdfast,
  holdfastServer,
  type Programs,
  type RunningServer,
  startServer,
} from './processes.ts';

/** Prints, as the process ends, which of Node's own modules and which files it loaded. */
const TELL_LOADED = `
  process.on('exit', () => {
    const { Module } = process.getBuiltinModule('node:module');
    console.error(JSON.stringify([...process.moduleLoadList, ...Object.keys(Module._cache)]));
  });`;

describe('the built bundle', () => {
  const folder = mkdtempSync(join(tmpdir(), 'holdfast-bundle-'));
  const data = join(folder, 'server');
  const home = join(folder, 'agent');
  const tree = join(folder, 'tree');
  let programs: Programs;
  let server: RunningServer;

  const onDevice = async <T>(...args: string[]): Promise<T> =>
    answer<T>(await holdfast(home, [...args, '--json'], { programs }));
  const onServer = async <T>(...args: string[]): Promise<T> =>
    answer<T>(await holdfastServer([...args, '--data', data, '--json'], { programs }));

  before(async () => {
    mkdirSync(tree);
    writeFileSync(join(tree, 'letter'), 'Dear Bob');
    writeFileSync(join(tree, 'large'), Buffer.alloc(400_000, 'large '));
    programs = await bundle(join(folder, 'bundle'));
    server = await startServer(data, await freePorts(), { programs, flags: ['--address', 'localhost'] });
  });
  after(async () => {
    await server?.stop();
    rmSync(folder, { recursive: true, force: true });
  });

  it('enrols, backs up and restores', async () => {
    const { password } = await onServer<{ password: string }>('admin', 'create', 'ada');
    const { enrolment } = await onServer<{ enrolment: string }>('enrolment');
    const [first, own] = [join(folder, 'password'), join(folder, 'own-password')];
    writeFileSync(first, password);
    writeFileSync(own, 'a password of her own');
    await onDevice('enrol', enrolment, '--user', 'ada', '--password-file', first, '--new-password-file', own);
    await onDevice('sets', 'add', 'work', tree);
    await onDevice('sets', 'remove', 'Home');
    await onDevice('backup');
    await onDevice('restore', tree, '--to', join(folder, 'restored'));
    for (const name of ['letter', 'large'])
      assert.deepEqual(readFileSync(join(folder, 'restored', 'tree', name)), readFileSync(join(tree, name)));
  });

  it('reads every byte again, on both ends', async () => {
    await onDevice('check', '--read-data');
    await onServer('maintain', 'verify');
  });

  it('serves: watches its folders, and answers a status that loads neither encryption nor schemas', {
    timeout: 120_000,
  }, async (t) => {
    const service = spawn(process.execPath, [programs.holdfast, 'run'], {
      env: { ...process.env, HOLDFAST_HOME: home },
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    t.after(async () => {
      service.kill();
      await once(service, 'close');
    });
    const lines = createInterface({ input: service.stdout })[Symbol.asyncIterator]();
    await lines.next(); // it runs
    await onDevice('backup');
    let said = '';
    while (!said.includes('"watching"')) said = (await lines.next()).value ?? assert.fail('the service has ended');

    const preload = join(folder, 'tell-loaded.cjs');
    writeFileSync(preload, TELL_LOADED);
    const { stdout, stderr } = await holdfast(home, ['status', '--json'], {
      programs,
      env: { NODE_OPTIONS: `--require ${preload}` },
    });
    const status = JSON.parse(stdout) as { daemon: object | null; standing: object };
    assert.notEqual(status.daemon, null);
    assert.deepEqual(status.standing, { kind: 'accepted' });
    const loaded = JSON.parse(stderr) as string[];
    assert.deepEqual(
      loaded.filter((name) => /^NativeModule (tls|https|crypto|child_process|fs\/promises|sqlite)$/.test(name)),
      [],
    );
    const files = loaded.filter((name) => name.includes('/lib/'));
    assert.equal(files.length <= 3, true, files.join('\n'));
  });

  it('names programs that are there in the file of the service', async () => {
    const { stdout } = await holdfast(home, ['service', 'show', '--kind', 'systemd'], { programs });
    const named = stdout.match(/\S+holdfast\.mjs/)?.[0] ?? '';
    assert.equal(existsSync(named), true, stdout);
    assert.equal(named.startsWith(folder), true, named);
  });
});
