import { runCli } from './cli/run-cli.ts';
import { readConfig } from './config.ts';
import { systemTime } from './limits/system-time.ts';
import { keepYoungSpaceSmall } from './young-objects.ts';

/** The first signal asks for a clean stop, the second one does not wait for it. */
function onStop(stop: (signal: 'SIGINT' | 'SIGTERM') => void): () => void {
  let asked = false;
  const listen = (signal: 'SIGINT' | 'SIGTERM', code: number) => () => {
    if (asked) process.exit(code);
    asked = true;
    stop(signal);
  };
  const onInterrupt = listen('SIGINT', 130);
  const onTerminate = listen('SIGTERM', 143);
  process.on('SIGINT', onInterrupt);
  process.on('SIGTERM', onTerminate);
  return () => {
    process.off('SIGINT', onInterrupt);
    process.off('SIGTERM', onTerminate);
  };
}

/** Not at the top of the file: what loads on demand may need a part of this file's bundle, and would wait for this to end. */
export async function main(): Promise<void> {
  keepYoungSpaceSmall();
  // `holdfast ls | head` closes the pipe early: that is no failure of ours
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code !== 'EPIPE') throw error;
    process.exit(0);
  });
  const code = await runCli(process.argv.slice(2), {
    config: readConfig(),
    // Few commands ask for it, and making it takes a sixth of what Node itself takes to start
    get stdin() {
      return process.stdin;
    },
    stdout: process.stdout,
    stderr: process.stderr,
    cwd: process.cwd(),
    clock: { ...systemTime(Date.now), zone: Temporal.Now.timeZoneId() },
    // Not imported: loading it takes a quarter of what Node itself takes to start
    random: (length) => process.getBuiltinModule('node:crypto').randomBytes(length),
    onStop,
  });
  // Connections that are kept open, and tries that nobody waits for any more, must not hold up the shell
  process.stdout.write('', () => process.exit(code));
}
