/**
 * How long `holdfast status` takes as the built bundle, beside `node -e 0`: with a running service, which asks the server for it, and
 * without one, where the command makes an encrypted connection itself. In turns, so that what else goes on meets all alike.
 */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { bundle } from '../../scripts/bundle.ts';
import { answer, freePorts, holdfast, holdfastServer, type Programs, startServer } from '../../scripts/processes.ts';
import { median } from '../measure.ts';
import { scaled, type Work } from '../work.ts';

const TURNS = 31;

export const startUp: Work = {
  name: 'start-up',
  rows: ['start-up', 'start-up-alone'],
  needsTree: false,
  repeats: false,
  onlyFor: null,
  async run(bench) {
    const { node, served, alone } = await measureStartUp(bench.folder, scaled(bench, TURNS));
    const ms = (seconds: number): string => `${(seconds * 1000).toFixed(1)} ms`;
    bench.say(`node -e 0: ${ms(node)}; holdfast status: ${ms(served)} with a service, ${ms(alone)} without`);
    return [
      { row: 'start-up', ours: served / node, beside: {} },
      { row: 'start-up-alone', ours: alone / node, beside: {} },
    ];
  },
};

/** Medians, in seconds. */
type StartUp = { readonly node: number; readonly served: number; readonly alone: number };

async function measureStartUp(folder: string, turns: number): Promise<StartUp> {
  const programs = await bundle(join(folder, 'bundle'));
  const data = join(folder, 'server');
  const server = await startServer(data, await freePorts(), { programs, flags: ['--address', 'localhost'] });
  let service: ChildProcess | null = null;
  try {
    const [served = '', alone = ''] = await enrolled(['served', 'alone'], { folder, data, programs });
    service = await startService(served, programs);
    const status = (home: string) => () => time([programs.holdfast, 'status'], { HOLDFAST_HOME: home });
    return medians(turns, { node: () => time(['-e', '0']), served: status(served), alone: status(alone) });
  } finally {
    service?.kill();
    await server.stop();
  }
}

type World = {
  readonly folder: string;
  readonly data: string;
  readonly programs: Programs;
};

/** State folders of devices that have backed up one small folder. */
async function enrolled(names: readonly string[], { folder, data, programs }: World): Promise<string[]> {
  const onServer = async <T>(...args: string[]): Promise<T> =>
    answer<T>(await holdfastServer([...args, '--data', data, '--json'], { programs }));
  const { password } = await onServer<{ password: string }>('admin', 'create', 'bench');
  const { enrolment } = await onServer<{ enrolment: string }>('enrolment');
  const [first, own] = [join(folder, 'password'), join(folder, 'own-password')];
  writeFileSync(first, password, { mode: 0o600 });
  writeFileSync(own, 'a password of its own', { mode: 0o600 });
  const tree = join(folder, 'tree');
  mkdirSync(tree);
  writeFileSync(join(tree, 'letter'), 'Dear Bob');
  const homes: string[] = [];
  for (const name of names) {
    const home = join(folder, name);
    const run = async (...args: string[]): Promise<unknown> =>
      answer(await holdfast(home, [...args, '--json'], { programs }));
    const passwords =
      homes.length === 0 ? ['--password-file', first, '--new-password-file', own] : ['--password-file', own];
    await run('enrol', enrolment, '--user', 'bench', '--name', name, ...passwords);
    await run('sets', 'add', 'tree', tree);
    await run('sets', 'remove', 'Home');
    await run('backup');
    homes.push(home);
  }
  return homes;
}

/** Running, and with nothing to do. */
async function startService(home: string, programs: Programs): Promise<ChildProcess> {
  const child = spawn(process.execPath, [programs.holdfast, 'run'], {
    env: { ...process.env, HOLDFAST_HOME: home },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  await once(child.stdout, 'data');
  child.stdout.resume();
  answer(await holdfast(home, ['backup', '--json'], { programs }));
  return child;
}

/** Seconds. */
function time(args: readonly string[], env: Readonly<Record<string, string>> = {}): number {
  const began = performance.now();
  const { status, stderr } = spawnSync(process.execPath, args, { env: { ...process.env, ...env } });
  if (status !== 0) throw new Error(`${args.join(' ')} ended with ${status}: ${stderr}`);
  return (performance.now() - began) / 1000;
}

/** Each is done once before, so that what it keeps for the next time is there. */
function medians<K extends string>(count: number, works: Readonly<Record<K, () => number>>): Record<K, number> {
  const entries = Object.entries<() => number>(works);
  for (const [, work] of entries) work();
  const turns = Array.from({ length: count }, () => entries.map(([, work]) => work()));
  return Object.fromEntries(
    entries.map(([name], i) => [name, median(turns.map((turn) => turn[i] as number))]),
  ) as Record<K, number>;
}
