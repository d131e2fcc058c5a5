/** Starts the real programs, as a user's shell would: the server as a process to stop later, commands to their end. */
import { type ChildProcess, spawn } from 'node:child_process';
import { createServer } from 'node:net';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

export const ROOT = dirname(dirname(fileURLToPath(import.meta.url)));
const AGENT = join(ROOT, 'packages/agent/bin/holdfast.mjs');
const SERVER = join(ROOT, 'packages/server/bin/holdfast-server.mjs');

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
};

/** Runs `holdfast ...` with its state in `home`. Never rejects for an exit code: the caller judges it. */
export function holdfast(home: string, args: string[], options: RunOptions = {}): Promise<Ended> {
  return run(AGENT, args, { ...options, env: { ...options.env, HOLDFAST_HOME: home } });
}

/** Runs a `holdfast-server` command that ends by itself. */
export function holdfastServer(args: string[], options: RunOptions = {}): Promise<Ended> {
  return run(SERVER, args, options);
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

/** Resolves when `GET /health` answers; rejects with the server's output when it ends before. */
export async function startServer(data: string, ports: Ports, options: RunOptions = {}): Promise<RunningServer> {
  let child: ChildProcess | undefined;
  let printed = '';
  const ended = run(
    SERVER,
    ['start', '--data', data, '--http-port', `${ports.http}`, '--https-port', `${ports.https}`],
    {
      ...options,
      onStart(started) {
        child = started;
        started.stdout?.on('data', (text: Buffer) => {
          printed += text.toString();
        });
        options.onStart?.(started);
      },
    },
  );
  let over: Ended | null = null;
  void ended.then((result) => {
    over = result;
  });
  while (!(await healthy(ports.http))) {
    if (over !== null) {
      const { code, stdout, stderr } = over as Ended;
      throw new Error(`the server ended with ${code} before it was up\n${stdout}${stderr}`);
    }
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  return {
    ports,
    pid: child?.pid ?? 0,
    output: () => printed,
    ended,
    async stop(signal = 'SIGTERM') {
      child?.kill(signal);
      return await ended;
    },
  };
}

/** Two free loopback ports, five apart as the defaults are. */
export async function freePorts(): Promise<Ports> {
  for (;;) {
    const http = await freePort(0);
    if (http !== null && http < 65_530 && (await freePort(http + 5)) !== null) return { http, https: http + 5 };
  }
}

async function healthy(port: number): Promise<boolean> {
  try {
    return (await fetch(`http://127.0.0.1:${port}/health`)).ok;
  } catch {
    return false; // not listening yet
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
      ...(options.signal === undefined ? {} : { signal: options.signal }),
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
