import { chmodSync, mkdirSync, readdirSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import type { Config } from '../config.ts';
import { AgentError } from '../errors.ts';
import { isLeftOver } from './atomic-file.ts';

/**
 * The state folder: all that an agent keeps on its device.
 *
 * Nouns: the *home* is the folder; a *record* is one small versioned JSON file in `state/`; a *lock* says which process
 * does something right now; a *cache* may be thrown away at any time.
 *
 * ```
 * state/        device.json identity.age settings.json pause.json trust.json sets/<set id>.json
 *               the small set that an upgrade copies and the version before can read
 * cache/<n>/    one folder per format of the cache
 * locks/        held while a process lives, released by the system when it dies
 * run/          control socket and status.json of the running service
 * tmp/          nothing that outlives a run
 * ```
 * Everything is of the user alone (0700, 0600): whoever reads `state/` reads the archive.
 */
export type Home = {
  readonly dir: string;
  readonly state: string;
  readonly sets: string;
  readonly locks: string;
  readonly run: string;
  readonly tmp: string;
  /** Of the cache format that this program writes; one folder per archive and destination in it. */
  readonly cache: string;
  /** Where the running service listens: a socket's path, or a pipe's name on Windows. */
  readonly control: string;
};

/** Changes when the cache's format does; the old folder is removed by the next run. */
export const CACHE_FORMAT = 1;

/** Longest path that a Unix socket may have everywhere (macOS: 104 with the terminating zero). */
const SOCKET_PATH_MAX = 100;

export function describeHome(config: Pick<Config, 'home' | 'platform' | 'runtimeDir'>): Home {
  const dir = resolve(config.home);
  const run = join(dir, 'run');
  return {
    dir,
    state: join(dir, 'state'),
    sets: join(dir, 'state', 'sets'),
    locks: join(dir, 'locks'),
    run,
    tmp: join(dir, 'tmp'),
    cache: join(dir, 'cache', String(CACHE_FORMAT)),
    control: controlAddress(dir, run, config),
  };
}

/** Makes what is missing, corrects rights that are too wide, sweeps what a crash left. */
export function openHome(config: Pick<Config, 'home' | 'platform' | 'runtimeDir'>): Home {
  const home = describeHome(config);
  mkdirSync(home.dir, { recursive: true, mode: 0o700 });
  guard(home.dir);
  for (const dir of [home.sets, home.locks, home.run, home.tmp, home.cache]) {
    mkdirSync(dir, { recursive: true, mode: 0o700 });
  }
  for (const dir of [home.state, home.sets]) {
    for (const name of readdirSync(dir)) if (isLeftOver(name)) rmSync(join(dir, name), { force: true });
  }
  return home;
}

/** Only when nobody else uses a cache: the caller holds the lock that says so. */
export function sweep(home: Home): void {
  const caches = join(home.dir, 'cache');
  for (const name of readdirSync(caches)) {
    if (name !== String(CACHE_FORMAT)) rmSync(join(caches, name), { recursive: true, force: true });
  }
}

function guard(dir: string): void {
  if (process.platform === 'win32') return;
  const { uid, mode } = statSync(dir);
  if (uid !== process.getuid?.()) throw new AgentError('home_unsafe', { what: `${dir} belongs to user ${uid}` });
  if ((mode & 0o077) !== 0) chmodSync(dir, 0o700);
}

function controlAddress(dir: string, run: string, config: Pick<Config, 'platform' | 'runtimeDir'>): string {
  if (config.platform === 'win32') return `\\\\.\\pipe\\holdfast-${nameOf(dir)}`;
  const path = join(run, 'control.sock');
  if (Buffer.byteLength(path) <= SOCKET_PATH_MAX) return path;
  const short = join(config.runtimeDir ?? tmpdir(), `holdfast-${process.getuid?.()}-${nameOf(dir)}`);
  mkdirSync(short, { recursive: true, mode: 0o700 });
  guard(short);
  return join(short, 'control.sock');
}

/** Most homes need none, and loading node:crypto is a quarter of what Node itself takes to start. */
function nameOf(dir: string): string {
  const { hash } = process.getBuiltinModule('node:crypto');
  return hash('sha256', dir).slice(0, 16);
}
