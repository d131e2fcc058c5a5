/** Loaded before the program it torments, in its main thread and in each worker; see faults.ts. */
import fs from 'node:fs';
import promises from 'node:fs/promises';
import http from 'node:http';
import https from 'node:https';
import { syncBuiltinESMExports } from 'node:module';
import { DatabaseSync, StatementSync } from 'node:sqlite';
import { type Death, type Faults, type Step, VARIABLE } from './faults.ts';

type Callable = (this: unknown, ...args: unknown[]) => unknown;
type Patched = Record<string, Callable>;

function moveClock(ms: number): void {
  const RealDate = Date;
  const now = (): number => real() + ms;
  const real = RealDate.now;
  RealDate.now = now;
  globalThis.Date = new Proxy(RealDate, {
    construct: (target, args, newTarget) => Reflect.construct(target, args.length === 0 ? [now()] : args, newTarget),
    apply: () => new RealDate(now()).toString(),
  });
}

async function watchFor(wanted: Death): Promise<void> {
  let count = 0;
  const about = new RegExp(wanted.about ?? '');
  const isIt = (step: Step, subject: string): boolean =>
    step === wanted.step && about.test(subject) && ++count === wanted.nth;
  watchFileSystem(isIt, wanted);
  await watchFileHandles(isIt, wanted);
  watchDatabase(isIt, wanted);
  watchRequests(isIt, wanted);
  syncBuiltinESMExports();
}

type IsIt = (step: Step, subject: string) => boolean;

function die(): void {
  process.kill(process.pid, 'SIGKILL');
}

/** The original call with death around it. `half` does a part of it first. */
function around(isIt: IsIt, { when }: Death, step: Step, original: Callable, half?: Callable): Callable {
  return function (this: unknown, ...args) {
    if (!isIt(step, args.filter((arg) => typeof arg === 'string').join(' -> ')))
      return Reflect.apply(original, this, args);
    if (when === 'half' && half !== undefined) {
      const done = Reflect.apply(half, this, args);
      if (done instanceof Promise) return done.then(die);
      die();
    }
    if (when !== 'after') die();
    const done = Reflect.apply(original, this, args);
    if (done instanceof Promise) return done.then(die);
    die();
    return done;
  };
}

function patch(target: object, names: readonly string[], make: (original: Callable) => Callable): void {
  const patched = target as Patched;
  for (const name of names) {
    const original = patched[name];
    if (typeof original === 'function') patched[name] = make(original);
  }
}

const FILE_STEPS = {
  sync: ['fsync', 'fdatasync'],
  rename: ['rename'],
  link: ['link', 'symlink'],
  unlink: ['unlink', 'rm', 'rmdir'],
  mkdir: ['mkdir'],
} as const satisfies Partial<Record<Step, readonly string[]>>;

function watchFileSystem(isIt: IsIt, wanted: Death): void {
  const { writeSync } = fs;
  const halfWrite: Callable = (fd, data) => {
    if (data instanceof Uint8Array) writeSync(fd as number, data, 0, data.length >> 1);
  };
  patch(fs, ['writeSync'], (original) => around(isIt, wanted, 'write', original, halfWrite));
  for (const [step, names] of Object.entries(FILE_STEPS) as [Step, readonly string[]][]) {
    const all = names.map((name) => `${name}Sync`);
    patch(fs, all, (original) => around(isIt, wanted, step, original));
    patch(promises, names, (original) => around(isIt, wanted, step, original));
  }
}

/** The class of file handles is not exported; one handle leads to it. */
async function watchFileHandles(isIt: IsIt, wanted: Death): Promise<void> {
  const handle = await promises.open(process.execPath, 'r');
  const prototype = Object.getPrototypeOf(handle) as Patched;
  await handle.close();
  const write = prototype['write'] as Callable;
  const halfWrite: Callable = function (this: unknown, data) {
    return data instanceof Uint8Array ? Reflect.apply(write, this, [data, 0, data.length >> 1]) : Promise.resolve();
  };
  patch(prototype, ['write', 'writev', 'writeFile', 'appendFile'], (original) =>
    around(isIt, wanted, 'write', original, halfWrite),
  );
  patch(prototype, ['sync', 'datasync'], (original) => around(isIt, wanted, 'sync', original));
}

function watchDatabase(isIt: IsIt, wanted: Death): void {
  const stepOf = (sql: string): Step => (/^\s*(commit|end)\b/i.test(sql) ? 'commit' : 'statement');
  patch(
    DatabaseSync.prototype,
    ['exec'],
    (original) =>
      function (this: unknown, ...args) {
        return Reflect.apply(around(isIt, wanted, stepOf(String(args[0])), original), this, args);
      },
  );
  patch(
    StatementSync.prototype,
    ['run', 'all', 'get'],
    (original) =>
      function (this: unknown, ...args) {
        const { sourceSQL } = this as StatementSync;
        const isCounted: IsIt = (step) => isIt(step, sourceSQL);
        return Reflect.apply(around(isCounted, wanted, stepOf(sourceSQL), original), this, args);
      },
  );
}

/** `before` is before anything is sent, `half` when the first of the body went out, `after` when the answer begins. */
function watchRequests(isIt: IsIt, wanted: Death): void {
  const make = (original: Callable): Callable =>
    function (this: unknown, ...args) {
      const [url, options] = args as [URL, { method?: string }];
      if (!isIt('request', `${options?.method ?? 'GET'} ${url.pathname}`)) return Reflect.apply(original, this, args);
      if (wanted.when === 'before') die();
      const request = Reflect.apply(original, this, args) as http.ClientRequest;
      request.prependOnceListener('response', die);
      if (wanted.when === 'half') {
        const write = request.write.bind(request) as Callable;
        request.write = ((...chunk: unknown[]) => {
          const flushed = write(...chunk);
          setImmediate(die);
          return flushed;
        }) as typeof request.write;
      }
      return request;
    };
  patch(https, ['request'], make);
  patch(http, ['request'], make);
}

const { clockMs = 0, death } = JSON.parse(process.env[VARIABLE] ?? '{}') as Faults;
if (clockMs !== 0) moveClock(clockMs);
if (death !== undefined) await watchFor(death);
