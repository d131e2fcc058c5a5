/** Loaded before the program it torments, in its main thread and in each worker; see faults.ts. */
import fs from 'node:fs';
import promises from 'node:fs/promises';
import http from 'node:http';
import https from 'node:https';
import { syncBuiltinESMExports } from 'node:module';
import net from 'node:net';
import { DatabaseSync, StatementSync } from 'node:sqlite';
import { isMainThread } from 'node:worker_threads';
import { type Faults, type Road, type Step, VARIABLE } from './faults.ts';
import { placeOf, sqlPlace } from './places.ts';

type Callable = (this: unknown, ...args: unknown[]) => unknown;
type Patched = Record<string, Callable>;

function moveClock(clockMs: number, jumpMs: number): void {
  const RealDate = Date;
  let ahead = clockMs;
  // Threads that read the clock do so for files, which need no more than that it goes on
  if (jumpMs !== 0 && isMainThread) process.on('SIGUSR2', () => (ahead += jumpMs));
  const now = (): number => real() + ahead;
  const real = RealDate.now;
  RealDate.now = now;
  globalThis.Date = new Proxy(RealDate, {
    construct: (target, args, newTarget) => Reflect.construct(target, args.length === 0 ? [now()] : args, newTarget),
    apply: () => new RealDate(now()).toString(),
  });
}

/** `subject` is a path, SQL text, or method and path of a request. */
type IsIt = (step: Step, subject: string) => boolean;

const { appendFileSync, readlinkSync } = fs;
const faults = JSON.parse(process.env[VARIABLE] ?? '{}') as Faults;
const { death, witness } = faults;
const when = death?.when ?? 'before';

/** Tells the witness of each place the first time that this thread comes there. Says whether this is the step to die at. */
function watching(): IsIt {
  let count = 0;
  const about = new RegExp(death?.about ?? '');
  const told = new Set<string>();
  return (step, subject) => {
    if (telling) return false;
    const place = placeOf(faults.program ?? '', step, subject);
    if (place !== null && !told.has(place)) tell('saw', `${faults.scene ?? ''}: ${place}`);
    if (place !== null) told.add(place);
    if (step !== death?.step) return false;
    const fits = death.place === undefined ? about.test(subject) : death.place === place;
    return fits && ++count === death.nth;
  };
}

let telling = false;

function tell(verb: 'saw' | 'died', what: string): void {
  if (witness === undefined) return;
  telling = true; // what Node does for it is no step of the program
  appendFileSync(witness, `${verb} ${what}\n`);
  telling = false;
}

async function watch(isIt: IsIt): Promise<void> {
  watchFileSystem(isIt);
  await watchFileHandles(isIt);
  watchDatabase(isIt);
  watchRequests(isIt);
  syncBuiltinESMExports();
}

function die(): void {
  if (death?.name !== undefined) tell('died', death.name);
  process.kill(process.pid, 'SIGKILL');
}

type Subject = (self: unknown, args: readonly unknown[]) => string;

/** The original call with death around it. `half` does a part of it first. */
function around(isIt: IsIt, step: Step, subject: Subject, original: Callable, half?: Callable): Callable {
  return function (this: unknown, ...args) {
    if (!isIt(step, subject(this, args))) return Reflect.apply(original, this, args);
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

const text = (path: unknown): string =>
  path instanceof Uint8Array ? Buffer.from(path).toString() : path instanceof URL ? path.pathname : String(path);
const ofPath: Subject = (_, [path]) => (typeof path === 'number' ? openPath(path) : text(path));
const ofTwoPaths: Subject = (_, [from, to]) => `${text(from)} -> ${text(to)}`;
const ofHandle: Subject = (handle) => openPath((handle as { fd: number }).fd);

/** Empty where the system does not tell. */
function openPath(fd: number): string {
  try {
    return readlinkSync(`/proc/self/fd/${fd}`);
  } catch {
    return '';
  }
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

function watchFileSystem(isIt: IsIt): void {
  const { writeSync, writeFileSync } = fs;
  const halfWrite: Callable = (fd, data) => {
    if (data instanceof Uint8Array) writeSync(fd as number, data, 0, data.length >> 1);
  };
  const halfFile: Callable = (path, data) =>
    writeFileSync(path as string, Buffer.from(data as string).subarray(0, (data as string).length >> 1));
  patch(fs, ['writeSync'], (original) => around(isIt, 'write', ofPath, original, halfWrite));
  patch(fs, ['writeFileSync'], (original) => around(isIt, 'write', ofPath, original, halfFile));
  for (const [step, names] of Object.entries(FILE_STEPS) as [Step, readonly string[]][]) {
    const subject = step === 'rename' || step === 'link' ? ofTwoPaths : ofPath;
    const all = names.map((name) => `${name}Sync`);
    patch(fs, all, (original) => around(isIt, step, subject, original));
    patch(promises, names, (original) => around(isIt, step, subject, original));
  }
}

/** The class of file handles is not exported; one handle leads to it. */
async function watchFileHandles(isIt: IsIt): Promise<void> {
  const handle = await promises.open(process.execPath, 'r');
  const prototype = Object.getPrototypeOf(handle) as Patched;
  await handle.close();
  const write = prototype['write'] as Callable;
  const halfWrite: Callable = function (this: unknown, data) {
    return data instanceof Uint8Array ? Reflect.apply(write, this, [data, 0, data.length >> 1]) : Promise.resolve();
  };
  patch(prototype, ['write', 'writev', 'writeFile', 'appendFile'], (original) =>
    around(isIt, 'write', ofHandle, original, halfWrite),
  );
  patch(prototype, ['sync', 'datasync'], (original) => around(isIt, 'sync', ofHandle, original));
}

/** The first that the open transaction of each thread's connection changed: by it a commit is known. */
let changed = '';

function sqlStep(sql: string): { step: Step; subject: string } {
  if (/^\s*(commit|end)\b/i.test(sql)) return { step: 'commit', subject: changed };
  if (/^\s*begin\b/i.test(sql)) changed = '';
  else if (changed === '' && sqlPlace(sql) !== null) changed = sql;
  return { step: 'statement', subject: sql };
}

function watchDatabase(isIt: IsIt): void {
  const make = (sqlOf: (self: unknown, args: readonly unknown[]) => string) => (original: Callable) =>
    function (this: unknown, ...args: unknown[]) {
      const { step, subject } = sqlStep(sqlOf(this, args));
      return Reflect.apply(
        around(isIt, step, () => subject, original),
        this,
        args,
      );
    };
  patch(
    DatabaseSync.prototype,
    ['exec'],
    make((_, [sql]) => String(sql)),
  );
  patch(
    StatementSync.prototype,
    ['run', 'all', 'get'],
    make((self) => (self as StatementSync).sourceSQL),
  );
}

/** `before` is before anything is sent, `half` when the first of the body went out, `after` when the answer begins. */
function watchRequests(isIt: IsIt): void {
  const make = (original: Callable): Callable =>
    function (this: unknown, ...args) {
      const [url, options] = args as [URL, { method?: string }];
      if (!isIt('request', `${options?.method ?? 'GET'} ${url.pathname}`)) return Reflect.apply(original, this, args);
      if (when === 'before') die();
      const request = Reflect.apply(original, this, args) as http.ClientRequest;
      request.prependOnceListener('response', die);
      if (when === 'half') dieInBody(request);
      return request;
    };
  patch(https, ['request'], make);
  patch(http, ['request'], make);
}

function dieInBody(request: http.ClientRequest): void {
  const write = request.write.bind(request) as Callable;
  request.write = ((...chunk: unknown[]) => {
    const flushed = write(...chunk);
    setImmediate(die);
    return flushed;
  }) as typeof request.write;
}

function takeRoad({ from, to }: Road): void {
  patch(
    net.Socket.prototype,
    ['connect'],
    (original) =>
      function (this: unknown, ...args) {
        // Normalized by net.connect: the options in an array of their own
        const [first] = args;
        const options = (Array.isArray(first) ? first[0] : first) as { port?: unknown } | undefined;
        if (Number(options?.port) === from) Object.assign(options as object, { port: to });
        return Reflect.apply(original, this, args);
      },
  );
}

if (faults.road !== undefined) takeRoad(faults.road);
if (faults.clockMs || faults.jumpMs) moveClock(faults.clockMs ?? 0, faults.jumpMs ?? 0);
if (death !== undefined || witness !== undefined) await watch(watching());
