/** Runs one command as a whole process and says how long it took and how much memory its process tree held. */
import { spawn } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';

export type Measured = {
  readonly seconds: number;
  /** Peak resident bytes of the process and its children, sampled. */
  readonly rss: number;
  /** What it printed, errors too. */
  readonly output: string;
};
export type Command = {
  readonly program: string;
  readonly args: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
};

const SAMPLE_MS = 50;
/** How much of a failed command's output is told. */
const LAST_WORDS = 1000;

/** Rejects with the command's own output when it exits with another code than 0 or one of `accept`. */
export async function measure(command: Command, accept: readonly number[] = [0]): Promise<Measured> {
  const began = process.hrtime.bigint();
  const child = spawn(command.program, [...command.args], {
    cwd: command.cwd,
    env: { ...process.env, ...command.env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const output: Buffer[] = [];
  child.stdout.on('data', (data: Buffer) => output.push(data));
  child.stderr.on('data', (data: Buffer) => output.push(data));
  const memory = watchMemory(() => child.pid);
  try {
    const code = await new Promise<number | null>((resolve, reject) => {
      child.once('error', reject);
      child.once('close', resolve);
    });
    const seconds = Number(process.hrtime.bigint() - began) / 1e9;
    const text = Buffer.concat(output).toString();
    if (code === null || !accept.includes(code)) {
      throw new Error(`${command.program} ${command.args.join(' ')} ended with ${code}:\n${text.slice(-LAST_WORDS)}`);
    }
    return { seconds, rss: memory.peak(), output: text };
  } finally {
    memory.stop();
  }
}

/** Samples what a process and its children hold until it is stopped. */
export function watchMemory(pid: () => number | undefined): { peak(): number; stop(): void } {
  let peak = 0;
  const sampler = setInterval(() => {
    peak = Math.max(peak, residentOfTree(pid()));
  }, SAMPLE_MS);
  return { peak: () => peak, stop: () => clearInterval(sampler) };
}

/** What a command printed last, as JSON. */
export function lastJson<T>({ output }: Pick<Measured, 'output'>): T {
  return JSON.parse(output.trim().split('\n').at(-1) ?? '') as T;
}

/** Resident bytes now of `pid` and all its descendants; 0 once they are gone. Linux only. */
function residentOfTree(pid: number | undefined): number {
  if (pid === undefined) return 0;
  let total = residentOf(pid);
  for (const child of childrenOf(pid)) total += residentOfTree(child);
  return total;
}

function residentOf(pid: number): number {
  const line = read(`/proc/${pid}/status`).match(/^VmRSS:\s+(\d+) kB/m);
  return line?.[1] === undefined ? 0 : Number(line[1]) * 1024;
}

function childrenOf(pid: number): number[] {
  let tasks: string[];
  try {
    tasks = readdirSync(`/proc/${pid}/task`);
  } catch {
    return []; // the process ended between two looks
  }
  return tasks.flatMap((task) => read(`/proc/${pid}/task/${task}/children`).split(' ').filter(Boolean).map(Number));
}

function read(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return ''; // the process ended between two looks
  }
}

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  const upper = sorted[middle] ?? Number.NaN;
  return sorted.length % 2 === 1 ? upper : ((sorted[middle - 1] ?? Number.NaN) + upper) / 2;
}
