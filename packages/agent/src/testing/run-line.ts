import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { Readable, Writable } from 'node:stream';
import { runCli } from '../cli/run-cli.ts';
import type { Config } from '../config.ts';
import { systemTime } from '../limits/system-time.ts';
import type { Time } from '../limits/token-bucket.ts';

/** Runs command lines in this process, as a shell would read them, with a home, a folder and a clock of the test's. */
export type Shell = {
  readonly home: string;
  readonly userHome: string;
  readonly cwd: string;
  readonly env?: Readonly<Record<string, string>>;
  readonly now?: () => number;
  /** Goes before `now`. */
  readonly time?: Time;
  readonly zone?: string;
};

export type Ran = { readonly code: number; readonly stdout: string; readonly stderr: string };

export type RunOptions = {
  readonly input?: string;
  /** `input` is typed on a terminal. */
  readonly terminal?: boolean;
  /** Sends a signal as soon as the command has printed something like this. */
  readonly stop?: { readonly when: RegExp; readonly signal: 'SIGINT' | 'SIGTERM' };
  /** Sees what it says beside its result as it says it. */
  readonly onNote?: (text: string) => void;
};

/** `line` begins with `holdfast`. */
export function runLine(shell: Shell, line: string, options: RunOptions = {}): Promise<Ran> {
  const [program, ...words] = shellWords(shell, line);
  if (program !== 'holdfast') throw new Error(`not a line of ours: ${line}`);
  return runWords(shell, words, options);
}

export async function runWords(
  shell: Shell,
  words: readonly string[],
  { input = '', terminal = false, stop, onNote }: RunOptions = {},
): Promise<Ran> {
  let signal: (name: 'SIGINT' | 'SIGTERM') => void = () => {};
  const stopIfSaid = (text: string) => {
    if (stop?.when.test(text)) signal(stop.signal);
  };
  const stdout = collector(stopIfSaid);
  const stderr = collector((text) => {
    onNote?.(text);
    stopIfSaid(text);
  });
  const stdin = Readable.from([Buffer.from(input)]) as unknown as NodeJS.ReadableStream;
  const code = await runCli(words, {
    config: configOf(shell),
    stdin: terminal ? Object.assign(stdin, { isTTY: true }) : stdin,
    stdout: stdout.stream,
    stderr: stderr.stream,
    cwd: shell.cwd,
    clock: { ...(shell.time ?? systemTime(shell.now ?? Date.now)), zone: shell.zone ?? 'Europe/Berlin' },
    random: (length) => randomBytes(length),
    onStop: (callback) => {
      signal = callback;
      return () => {};
    },
  });
  return { code, stdout: stdout.text(), stderr: stderr.text() };
}

export const configOf = ({ home, userHome }: Pick<Shell, 'home' | 'userHome'>): Config => ({
  home,
  userHome,
  platform: process.platform,
  root: false,
  logLevel: 'info',
  runtimeDir: null,
  plain: true,
  desktop: false,
});

/** The shell's own reading of quotes, `~` and variables. */
function shellWords({ userHome, cwd, env = {} }: Shell, line: string): string[] {
  const output = execFileSync('sh', ['-c', `printf '%s\\0' ${line}`], {
    cwd,
    env: { PATH: process.env['PATH'], ...env, HOME: userHome },
    encoding: 'utf8',
  });
  return output.split('\0').slice(0, -1);
}

function collector(onText: (text: string) => void) {
  const chunks: Buffer[] = [];
  const stream = new Writable({
    write(chunk: Buffer, _encoding, done) {
      chunks.push(Buffer.from(chunk));
      onText(chunk.toString());
      done();
    },
  });
  return { stream, text: () => Buffer.concat(chunks).toString('utf8') };
}
