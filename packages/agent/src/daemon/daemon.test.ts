import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, it, type TestContext } from 'node:test';
import { setImmediate } from 'node:timers/promises';
import type { Worker } from 'node:worker_threads';
import { startTestServer, type TestServer } from '@holdfast/server/testing/test-server.ts';
import { programOf } from '../os-service/install.ts';
import { serviceFile } from '../os-service/service-file.ts';
import { openHome } from '../state/home.ts';
import { type TestDevice, testDevice } from '../testing/device-world.ts';
import { configOf } from '../testing/run-line.ts';
import { temporary } from '../testing/temporary.ts';
import { callDaemon } from './control.ts';
import { runDaemon } from './daemon.ts';
import type { DaemonEvent } from './daemon-event.ts';
import type { RunReport } from './run-report.ts';
import type { Status } from './status.ts';

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const ZONE = 'Europe/Berlin';
/** A worker's number when it lives no more. */
const ENDED = -1;

/** A clock of the test's own; whoever sleeps on it moves it on. */
function fakeClock(start: string) {
  const clock = {
    at: Temporal.PlainDateTime.from(start).toZonedDateTime(ZONE).epochMilliseconds,
    now: () => clock.at,
    ticks: () => clock.at,
    sleep: async (ms: number, signal?: AbortSignal) => {
      signal?.throwIfAborted();
      clock.at += ms;
      await setImmediate();
      signal?.throwIfAborted();
    },
  };
  return clock;
}

type World = Awaited<ReturnType<typeof serving>>;

/** The service on a device of its own, its events, and ways to wait for them. */
async function serving(t: TestContext, device: TestDevice, clock: ReturnType<typeof fakeClock>) {
  const home = openHome(configOf(device.shell));
  const events: DaemonEvent[] = [];
  let wake = () => {};
  const controller = new AbortController();
  const ended = runDaemon({
    home,
    config: configOf(device.shell),
    time: clock,
    zone: ZONE,
    random: () => 0.5,
    fillRandom: (target) => target.set(randomBytes(target.length)),
    pid: process.pid,
    untilIdle: false,
    onEvent: (event) => {
      events.push(event);
      wake();
    },
    signal: controller.signal,
  });
  const stop = async () => {
    controller.abort();
    await ended;
  };
  t.after(stop);
  let seen = 0;
  /** The next event of this kind that was not waited for yet. */
  async function next<K extends DaemonEvent['kind']>(kind: K): Promise<Extract<DaemonEvent, { kind: K }>> {
    for (;;) {
      for (; seen < events.length; seen++) {
        const event = events[seen]!;
        if (event.kind === kind) {
          seen++;
          return event as Extract<DaemonEvent, { kind: K }>;
        }
      }
      await new Promise<void>((resolve) => {
        wake = resolve;
      });
    }
  }
  const look = () => callDaemon(home, { do: 'reload' });
  const status = async () => (await callDaemon(home, { do: 'status' }))?.result as Status;
  /** Lets time pass; the service looks around as it does each minute. */
  const pass = async (ms: number) => {
    clock.at += ms;
    await look();
  };
  return { home, events, next, look, status, pass, stop, ended };
}

/** A program to its end; `code` null when there is no such program. */
function run(program: string, words: readonly string[], env: Readonly<Record<string, string>>) {
  return new Promise<{ code: number | null; output: string }>((resolve) => {
    const child = spawn(program, words, {
      env: { PATH: process.env['PATH'], ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    let output = '';
    for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk) => (output += String(chunk)));
    child.once('error', () => resolve({ code: null, output }));
    child.once('close', (code) => resolve({ code: code ?? 1, output }));
  });
}

describe('the service', () => {
  let server: TestServer;
  let users = 0;
  before(async () => {
    server = await startTestServer();
  });
  after(() => server.close());

  async function enrol(device: TestDevice, dir: string, to = server): Promise<void> {
    const user = await to.addUser(`user${users++}`);
    writeFileSync(join(dir, 'password'), user.password);
    const line = ['enrol', await to.server.enrolmentString(), '--user', user.username];
    const ran = await device.run(...line, '--password-file', join(dir, 'password'));
    assert.equal(ran.code, 0, ran.stderr);
    await device.json('sets', 'add', 'home', '~', '--priority', '1');
    await device.json('sets', 'remove', 'Home');
  }

  async function enrolled(t: TestContext, to = server) {
    const dir = temporary(t);
    const clock = fakeClock('2026-03-10T10:00');
    const device = testDevice(dir, 'laptop', { now: clock.now });
    device.write('letter.txt', 'Dear Bob');
    await enrol(device, dir, to);
    return { dir, clock, device };
  }

  /** The first run, after which the folders are watched. */
  async function settled({ next, status }: World): Promise<Status> {
    assert.equal((await next('run')).because, 'first');
    assert.equal((await next('done')).report.kind, 'committed');
    // What went before is looked at once more after the first run
    let now = await status();
    for (; now.daemon?.state === 'running'; now = await status()) await setImmediate();
    assert.equal(now.sets[0]?.watch.kind, 'watching');
    return now;
  }

  /** `~` of a program that runs as root is every home of this machine. */
  const selectOneFolder = async (device: TestDevice): Promise<void> => {
    device.write('letters/letter.txt', 'Dear Bob');
    await device.json('sets', 'edit', 'home', '--add', device.path('letters'), '--drop', '~');
  };

  const hinted = async ({ status }: World) => {
    while ((await status()).sets[0]?.next.because !== 'changes') await setImmediate();
  };

  it('waits for its enrolment, then begins by itself', async (t) => {
    const dir = temporary(t);
    const clock = fakeClock('2026-03-10T10:00');
    const device = testDevice(dir, 'laptop', { now: clock.now });
    device.write('letter.txt', 'Dear Bob');
    const { next, status, look } = await serving(t, device, clock);
    assert.equal((await next('waiting')).why.code, 'not_enrolled');
    assert.equal((await status()).device, null);
    await enrol(device, dir);
    await look();
    assert.equal((await next('done')).report.kind, 'committed');
  });

  it('makes a version of what changed a quarter of an hour later, walking only that', async (t) => {
    const { device, clock } = await enrolled(t);
    const world = await serving(t, device, clock);
    await settled(world);
    device.write('letter.txt', 'Dear Carol');
    await hinted(world);
    await world.pass(14 * MINUTE);
    assert.equal((await world.status()).daemon?.state, 'idle');
    await world.pass(MINUTE);
    const run = await world.next('run');
    assert.deepEqual([run.walk, run.because], ['changed', 'changes']);
    assert.equal((await world.next('done')).report.kind, 'committed');
    await device.json('restore', device.path('letter.txt'), '--to', 'restored');
    assert.equal(readFileSync(join(device.shell.cwd, 'restored/letter.txt'), 'utf8'), 'Dear Carol');
  });

  it('backs up again with the threads that it has, and ends them when it stops', async (t) => {
    const { clock, device } = await enrolled(t);
    const started: Worker[] = [];
    const note = (worker: Worker) => void started.push(worker);
    process.on('worker', note);
    t.after(() => process.off('worker', note));
    const world = await serving(t, device, clock);
    await settled(world);
    const before = [...started];
    assert.equal(before.length > 0, true);
    for (const content of ['Dear Alice', 'Dear Carol']) {
      device.write('letter.txt', content);
      const request = {
        do: 'backup',
        sets: (await world.status()).sets.map(({ id }) => id),
        allFolders: true,
      } as const;
      const { result } = (await callDaemon(world.home, { ...request, gentle: false }))!;
      assert.deepEqual(
        (result as RunReport[]).map(({ kind }) => kind),
        ['committed'],
      );
    }
    assert.deepEqual(started, before);
    await world.stop();
    assert.deepEqual(
      started.filter(({ threadId }) => threadId !== ENDED),
      [],
    );
  });

  it('rests while nothing changes, walks everything at three, and makes good what it slept through', async (t) => {
    const { device, clock } = await enrolled(t);
    const world = await serving(t, device, clock);
    await settled(world);
    await world.pass(2 * MINUTE);
    assert.equal((await world.status()).sets[0]?.next.because, 'daily');
    await world.pass(22 * HOUR);
    const run = await world.next('run');
    assert.deepEqual([run.walk, run.because], ['everything', 'daily']);
    assert.equal((await world.next('done')).report.kind, 'current');
    // The run may begin before the service has finished looking around
    const woke = () => world.events.find((event) => event.kind === 'woke');
    while (woke() === undefined) await setImmediate();
    assert.ok((woke()?.sleptMs ?? 0) >= 22 * HOUR);
    assert.ok((await world.status()).daemon?.slept);
  });

  it('waits while the server is away, says so, and goes on when it is back', async (t) => {
    const data = temporary(t);
    const first = await startTestServer({ dataDir: data });
    const { device, clock } = await enrolled(t, first);
    const world = await serving(t, device, clock);
    await settled(world);
    device.write('letter.txt', 'written while the server was away');
    await hinted(world);
    await first.close();
    await world.pass(15 * MINUTE);
    assert.equal((await world.next('failed')).code, 'offline');
    await world.pass(15 * MINUTE);
    const waiting = await world.next('waiting');
    assert.equal(waiting.why.code, 'offline');
    const { daemon, sets } = await world.status();
    assert.equal(daemon?.waiting?.code, 'offline');
    assert.equal(sets[0]?.run.failure?.code, 'offline');
    const port = first.server.httpsPort;
    const back = await startTestServer({ dataDir: data, httpsPort: port });
    t.after(() => back.close());
    await world.pass(20 * MINUTE);
    await world.next('back');
    assert.equal((await world.next('done')).report.kind, 'committed');
    assert.equal((await world.status()).sets[0]?.run.failure, null);
  });

  it('waits while it is paused, and runs what a person asks for all the same', async (t) => {
    const { device, clock } = await enrolled(t);
    const world = await serving(t, device, clock);
    await settled(world);
    await device.json('pause', '--for', '2h');
    assert.equal((await world.next('waiting')).why.code, 'paused');
    device.write('letter.txt', 'Dear Dora');
    const asked = await device.run('backup', '--set', 'home', '--json');
    assert.equal(asked.code, 0, asked.stdout);
    assert.equal((await world.next('run')).because, 'asked');
    await world.pass(HOUR);
    assert.equal((await world.status()).daemon?.waiting?.code, 'paused');
    device.write('letter.txt', 'Dear Emil');
    while (world.events.length > 0 && (await world.status()).sets[0]?.next.because !== 'changes') await setImmediate();
    await world.pass(HOUR);
    assert.equal((await world.next('run')).because, 'changes');
  });

  it('takes over a changed selection at once', async (t) => {
    const { device, clock } = await enrolled(t);
    const world = await serving(t, device, clock);
    await settled(world);
    await device.json('sets', 'edit', 'home', '--exclude', '*.iso');
    const run = await world.next('run');
    assert.deepEqual([run.walk, run.because], ['everything', 'first']);
    await world.next('done');
  });

  it('stops the run of a set that is removed', async (t) => {
    const { device, clock } = await enrolled(t);
    const world = await serving(t, device, clock);
    await settled(world);
    // Far more than is read and sent before the next command is heard
    for (let i = 0; i < 30; i++) device.write(`large ${i}`, randomBytes(4_000_000));
    await device.json('sets', 'add', 'more', device.userHome);
    assert.equal((await world.next('run')).set, 'more');
    await device.json('sets', 'remove', 'more');
    assert.match((await world.next('note')).text, /stopped/);
  });

  it('runs only once for a state folder', async (t) => {
    const { device, clock } = await enrolled(t);
    await settled(await serving(t, device, clock));
    const second = await device.run('run');
    assert.equal(second.code, 8);
    assert.match(second.stderr, /runs already/);
  });

  it('leaves a status that other programs can read', async (t) => {
    const { device, clock } = await enrolled(t);
    const world = await serving(t, device, clock);
    await settled(world);
    await world.look();
    while (!existsSync(join(world.home.run, 'status.json'))) await setImmediate();
    const status = JSON.parse(readFileSync(join(world.home.run, 'status.json'), 'utf8')) as Status;
    assert.equal(status.sets[0]?.name, 'home');
  });

  it('waits while its disk is full, says so, and goes on when there is space', async (t) => {
    const { dir, device } = await enrolled(t);
    await selectOneFolder(device);
    // A file system of its own, which a user namespace may mount
    const script = `
      mount -t tmpfs -o size=3m none "$1/small" || exit 77
      cp -a "$2/." "$1/small" && export HOLDFAST_HOME="$1/small" && head -c 4000000 /dev/zero > "$1/small/fill"
      "$3" "$4" run > /dev/null & service=$!
      trap 'kill $service' EXIT
      until "$3" "$4" status --json | grep -q disk_full; do :; done
      rm "$1/small/fill"
      "$3" "$4" backup --set home || exit 1
      trap - EXIT
      kill $service && wait $service`;
    mkdirSync(join(dir, 'small'));
    const { node, script: program } = programOf({ home: '', root: false });
    const words = [dir, device.shell.home, node, program];
    const ended = await run('unshare', ['-Urm', 'sh', '-c', script, 'sh', ...words], { HOME: device.userHome });
    if (ended.code === 77 || ended.code === null) return t.skip('no user namespaces here');
    assert.equal(ended.code, 0, ended.output);
    assert.match(ended.output, /home: snapshot/);
  });

  it("is started by its service file's line, and stopped by SIGTERM", async (t) => {
    const { device } = await enrolled(t);
    await selectOneFolder(device);
    const unit = serviceFile('systemd', programOf({ home: device.shell.home, root: false }));
    const line = /^ExecStart=(.*)$/m.exec(unit)?.[1] ?? '';
    const env = /^Environment=(.*)$/m.exec(unit)?.[1] ?? '';
    const child = spawn('sh', ['-c', `exec env ${env} HOME=${device.userHome} ${line}`], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    t.after(() => child.kill('SIGKILL'));
    const ended = new Promise<number | null>((resolve) => child.once('close', resolve));
    let log = '';
    for await (const chunk of child.stdout) {
      log += String(chunk);
      if (!log.includes('"done"') || child.killed) continue;
      assert.equal((await device.json<Status>('status')).daemon?.pid, child.pid);
      child.kill('SIGTERM');
    }
    assert.equal(await ended, 0, log);
    assert.match(log, /"stopped"/);
  });
});
