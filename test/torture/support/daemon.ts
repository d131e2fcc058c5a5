/** `holdfast run` of a device: what its log tells, and its end. It is asked nothing; it goes on by itself. */
import type { ChildProcess } from 'node:child_process';
import { type Ended, holdfast } from '../../../scripts/processes.ts';
import type { End } from '../faults/faults.ts';
import { HANGS_MS } from './run-to-end.ts';
import type { Acknowledgement, Device, World } from './world.ts';

/** A line of its log. */
export type DaemonLine = {
  readonly event: string;
  readonly msg: string;
  readonly code?: string;
  readonly report?: Acknowledgement;
};

const noop = (): void => {};

/** Of its clock, at each `jump`: as long as from one version to the next. */
export const JUMP_MS = 16 * 60_000;

export class Daemon {
  readonly ended: Promise<Ended>;
  private child: ChildProcess | null = null;
  private readonly lines: DaemonLine[] = [];
  private readonly waiting = new Set<() => void>();
  /** Lines before it were waited for. */
  private read = 0;
  private over = false;

  constructor(world: World, device: Device, end: End = {}, hangsMs: number = HANGS_MS) {
    const signal = AbortSignal.timeout(hangsMs);
    const env = world.environment('run', end);
    const onStart = (child: ChildProcess): void => this.watch(child, end);
    const { programs } = world;
    this.ended = holdfast(device.home, ['run', '--json'], { env, signal, onStart, programs });
    void this.ended.catch(noop).then(() => {
      this.over = true;
      this.wake();
    });
  }

  get pid(): number {
    return this.child?.pid ?? 0;
  }

  /** Each line of the log that has come since the last call, up to one that fits; `null` when it has ended without one. Rejects when it hangs. */
  async until(fits: (line: DaemonLine) => boolean): Promise<DaemonLine | null> {
    for (;;) {
      const at = this.lines.findIndex((line, i) => i >= this.read && fits(line));
      if (at >= 0) {
        this.read = at + 1;
        return this.lines[at] as DaemonLine;
      }
      if (this.over) {
        await this.ended;
        return null;
      }
      await new Promise<void>((resolve) => this.waiting.add(resolve));
    }
  }

  /** All that fits, from its beginning. */
  said(fits: (line: DaemonLine) => boolean): readonly DaemonLine[] {
    return this.lines.filter(fits);
  }

  /** Its clock goes on as after a sleep; it looks at it when something wakes it. */
  jump(): void {
    this.child?.kill('SIGUSR2');
  }

  stop(signal: NodeJS.Signals = 'SIGTERM'): Promise<Ended> {
    this.child?.kill(signal);
    return this.ended;
  }

  private watch(child: ChildProcess, { killAfterMs }: End): void {
    this.child = child;
    const timer = killAfterMs === undefined ? undefined : setTimeout(() => child.kill('SIGKILL'), killAfterMs);
    child.once('exit', () => clearTimeout(timer));
    let rest = '';
    child.stdout?.on('data', (text: Buffer) => {
      const lines = `${rest}${text}`.split('\n');
      rest = lines.pop() ?? '';
      this.lines.push(...lines.filter((line) => line !== '').map((line) => JSON.parse(line) as DaemonLine));
      this.wake();
    });
  }

  private wake(): void {
    for (const resolve of this.waiting) resolve();
    this.waiting.clear();
  }
}

/** Works with it and stops it. Returns whether it was killed; if not, it has to end well. */
export async function whileRuns(daemon: Daemon, work: (daemon: Daemon) => Promise<void>): Promise<boolean> {
  try {
    await work(daemon);
  } catch (error) {
    await daemon.stop('SIGKILL').catch(noop); // what it hangs in is told by the error
    throw error;
  }
  const { signal, code, stdout, stderr } = await daemon.stop();
  if (signal !== 'SIGKILL' && code !== 0) throw new Error(`the service ended with ${code}\n${stdout}${stderr}`);
  return signal === 'SIGKILL';
}

/** Of its next run; `null` when it died before. A run that fails fails the round: nothing is wrong but that it is killed. */
export async function nextReport(daemon: Daemon): Promise<Acknowledgement | null> {
  const line = await daemon.until(({ event }) => event === 'done' || event === 'failed');
  if (line?.event === 'failed') throw new Error(JSON.stringify(line));
  return line?.report ?? null;
}
