/** A command that ends by itself, is killed after a while, or hangs: then it is killed too, and that is a failure. */
import type { Ended, Programs, RunOptions } from '../../../scripts/processes.ts';

export type Start = (options: RunOptions) => Promise<Ended>;
type Run = {
  readonly env: Record<string, string>;
  readonly programs: Programs;
  readonly command: readonly string[];
  readonly killAfterMs?: number | undefined;
};

/** A process that takes longer hangs. */
export const HANGS_MS = 300_000;

export async function runToEnd(start: Start, { env, programs, command, killAfterMs }: Run): Promise<Ended> {
  let timer: NodeJS.Timeout | undefined;
  let said = '';
  const signal = AbortSignal.timeout(HANGS_MS);
  try {
    return await start({
      env,
      programs,
      signal,
      onStart: (child) => {
        child.stdout?.on('data', (text: Buffer) => {
          said += text.toString();
        });
        if (killAfterMs !== undefined) timer = setTimeout(() => child.kill('SIGKILL'), killAfterMs);
      },
    });
  } catch (error) {
    if (signal.aborted) throw new Error(`"${command.join(' ')}" hangs; it has said\n${said}`, { cause: error });
    throw error;
  } finally {
    clearTimeout(timer);
  }
}
