/** Starts the real programs, as a user's shell would: the server to be stopped later, commands to their end. */
import { type ChildProcess, spawn } from 'node:child_process';
import { createServer } from 'node:net';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

export const ROOT = dirname(dirname(fileURLToPath(import.meta.url)));
export const HOLDFAST = join(ROOT, 'packages/agent/bin/holdfast.mjs');
/** The files that Node is given. */
export type Programs = { readonly holdfast: string; readonly holdfastServer: string };
export const FROM_SOURCE: Programs = {
  holdfast: HOLDFAST,
  holdfastServer: join(ROOT, 'packages/server/bin/holdfast-server.mjs'),
};

export type Ports = { http: number; https: number };
export type Ended = { code: number | null; signal: NodeJS.Signals | null; stdout: string; stderr: string };
export type RunOptions = {
  env?: Record<string, string>;
  input?: string;
  signal?: AbortSignal;
  /** Called with the child as soon as it runs, to watch or kill it. */
  onStart?: (child: ChildProcess) => void;
  /** Shows the command's own output as it comes. */
  show?: boolean;
  /** Default: as they lie in the source. */
  programs?: Programs;
};

/** Runs `holdfast ...` with its state in `home`. Never rejects for an exit code: the caller judges it. */
export function holdfast(home: string, args: string[], options: RunOptions = {}): Promise<Ended> {
  return run((options.programs ?? FROM_SOURCE).holdfast, args, {
    ...options,
    env: { ...options.env, HOLDFAST_HOME: home },
  });
}

/** Runs a `holdfast-server` command that ends by itself. */
export function holdfastServer(args: string[], options: RunOptions = {}): Promise<Ended> {
  return run((options.programs ?? FROM_SOURCE).holdfastServer, args, options);
}

/** Parses the last line of a `--json` command; throws with all it printed when the exit code is not among `accept`. */
export function answer<T>(ended: Ended, accept: readonly number[] = [0]): T {
  if (ended.code === null || !accept.includes(ended.code))
    throw new Error(`exit ${ended.code}\n${ended.stdout}${ended.stderr}`);
  const lines = ended.stdout.trim().split('\n');
  try {
    return JSON.parse(ended.stdout) as T;
  } catch {
    return JSON.parse(lines.at(-1) ?? '') as T; // progress lines came before the result
  }
}

export type RunningServer = {
  ports: Ports;
  pid: number;
  /** What it has printed so far. */
  output(): string;
  /** SIGTERM and the end, or SIGKILL. */
  stop(signal?: NodeJS.Signals): Promise<Ended>;
  ended: Promise<Ended>;
};

export type ServerOptions = RunOptions & { /** More of `holdfast-server start`'s options. */ flags?: string[] };

/** Resolves when the server says that it is ready; rejects with its output when it ends before. */
export function startServer(data: string, ports: Ports, options: ServerOptions = {}): Promise<RunningServer> {
  const flags = ['--data', data, '--http-port', `${ports.http}`, '--https-port', `${ports.https}`];
  return new Promise((resolve, reject) => {
    let printed = '';
    const watch = (child: ChildProcess): void => {
      child.stdout?.on('data', (text: Buffer) => {
        printed += text.toString();
        if (!printed.includes(' is ready: ')) return;
        const stop = (signal: NodeJS.Signals = 'SIGTERM'): Promise<Ended> => {
          child.kill(signal);
          return ended;
        };
        resolve({ ports, pid: child.pid ?? 0, output: () => printed, ended, stop });
      });
      options.onStart?.(child);
    };
    const ended = holdfastServer(['start', ...flags, ...(options.flags ?? [])], { ...options, onStart: watch });
    ended.then(
      ({ code, stdout, stderr }) => reject(new Error(`the server ended with ${code}\n${stdout}${stderr}`)),
      reject,
    );
  });
}

/** Two free loopback ports, five apart as the defaults are. */
export async function freePorts(): Promise<Ports> {
  for (;;) {
    const http = await freePort(0);
    if (http !== null && http < 65_530 && (await freePort(http + 5)) !== null) return { http, https: http + 5 };
  }
}

function freePort(port: number): Promise<number | null> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => resolve(null));
    server.listen(port, '127.0.0.1', () => {
      const address = server.address();
      server.close(() => resolve(typeof address === 'object' && address !== null ? address.port : null));
    });
  });
}

function run(script: string, args: string[], options: RunOptions): Promise<Ended> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [script, ...args], {
      env: { ...process.env, ...options.env },
      stdio: [options.input === undefined ? 'ignore' : 'pipe', 'pipe', 'pipe'],
      // What hangs may be deaf to anything gentler.
      ...(options.signal === undefined ? {} : { signal: options.signal, killSignal: 'SIGKILL' }),
    });
    const stdout: Buffer[] = [];
    const stderr: Buffer[] = [];
    child.stdout?.on('data', (data: Buffer) => {
      stdout.push(data);
      if (options.show) process.stdout.write(data);
    });
    child.stderr?.on('data', (data: Buffer) => {
      stderr.push(data);
      if (options.show) process.stderr.write(data);
    });
    child.once('error', reject);
    child.once('close', (code, signal) => {
      resolve({ code, signal, stdout: Buffer.concat(stdout).toString(), stderr: Buffer.concat(stderr).toString() });
    });
    if (options.input !== undefined) child.stdin?.end(options.input);
    options.onStart?.(child);
  });
}
