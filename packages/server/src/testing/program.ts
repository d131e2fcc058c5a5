import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { text } from 'node:stream/consumers';
import type { TestContext } from 'node:test';
import { fileURLToPath } from 'node:url';

/** The real program, as a shell starts it. */
const PROGRAM = fileURLToPath(new URL('../../bin/holdfast-server.mjs', import.meta.url));

const start = (args: readonly string[]): ChildProcessWithoutNullStreams => spawn(process.execPath, [PROGRAM, ...args]);

export type Ended = { readonly code: number | null; readonly stdout: string; readonly stderr: string };

/** Runs a command to its end; `input` is piped in. */
export async function run(args: readonly string[], input = ''): Promise<Ended> {
  const child = start(args);
  child.stdin.end(input);
  const ended = once(child, 'close');
  const [stdout, stderr] = await Promise.all([text(child.stdout), text(child.stderr)]);
  const [code] = (await ended) as [number | null];
  return { code, stdout, stderr };
}

export type Served = { readonly lines: string[]; stop(signal?: NodeJS.Signals): Promise<number | null> };

/**
 * Starts the server and resolves when it says that it is ready; rejects with what it said when it ends before. It does not outlive the
 * test: a child that runs on would keep the runner from ending.
 */
export async function serveProgram(t: Pick<TestContext, 'after'>, args: readonly string[]): Promise<Served> {
  const child = start(['start', ...args]);
  t.after(() => child.kill('SIGKILL'));
  child.stdin.end();
  const lines: string[] = [];
  const complaints = text(child.stderr);
  const ended = once(child, 'close') as Promise<[number | null]>;
  await new Promise<void>((resolve, reject) => {
    createInterface({ input: child.stdout }).on('line', (line) => {
      lines.push(line);
      if (line.includes('is ready')) resolve();
    });
    void ended.then(async ([code]) => reject(new Error(`ended with ${code}: ${await complaints}`)));
  });
  return {
    lines,
    async stop(signal = 'SIGTERM') {
      child.kill(signal);
      return (await ended)[0];
    },
  };
}
