import type { Config } from '../config.ts';
import { AgentError } from '../errors.ts';
import type { Context } from './context.ts';
import { EXIT, type ExitCode, exitCodeOf } from './exit-codes.ts';
import { createOutput, type Output, type Streams } from './output.ts';
import { parseLine } from './program.ts';

/** What the process gives to one command line. */
export type World = Streams &
  Pick<Context, 'config' | 'stdin' | 'cwd' | 'clock' | 'random'> & {
    /** Calls back at Ctrl-C or SIGTERM; the answer stops listening. */
    readonly onStop: (stop: (signal: 'SIGINT' | 'SIGTERM') => void) => () => void;
  };

/** Runs one command line to its end and says with which code the process should end. Never rejects. */
export async function runCli(argv: readonly string[], world: World): Promise<ExitCode> {
  const parsed = await parseLine(argv, {
    out: (text) => void world.stdout.write(text),
    err: (text) => void world.stderr.write(text),
  });
  if (parsed.kind === 'said') return parsed.exit;
  if (parsed.kind === 'misunderstood') {
    outputOf(world, { json: true }).error(parsed.error);
    return exitCodeOf(parsed.error);
  }
  const { spec, input } = parsed.chosen;
  const out = outputOf(world, { json: input.options['json'] === true });
  const controller = new AbortController();
  const unlisten = world.onStop((signal) => controller.abort(new AgentError('interrupted', { data: { signal } })));
  try {
    const { run } = await spec.load!();
    return (await run(contextOf(world, out, controller.signal), input)) ?? EXIT.ok;
  } catch (error) {
    // What fails because of the stop is the stop: a socket that breaks off, an AbortError
    const reason = controller.signal.aborted ? (controller.signal.reason as AgentError) : error;
    out.error(reason);
    return exitCodeOf(reason);
  } finally {
    unlisten();
  }
}

/** Standard input is not looked at before a command does. */
const contextOf = (world: World, out: Output, signal: AbortSignal): Context => ({
  config: world.config,
  cwd: world.cwd,
  clock: world.clock,
  random: world.random,
  get stdin() {
    return world.stdin;
  },
  out,
  signal,
});

const outputOf = (world: World, { json }: { readonly json: boolean }) =>
  createOutput(world, { json, plain: world.config.plain, debug: isDebug(world.config), now: world.clock.now });

const isDebug = ({ logLevel }: Config): boolean => logLevel === 'debug' || logLevel === 'trace';
