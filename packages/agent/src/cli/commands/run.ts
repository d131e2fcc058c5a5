import { formatTime } from '../../archive/time.ts';
import { runDaemon } from '../../daemon/daemon.ts';
import type { DaemonEvent } from '../../daemon/daemon-event.ts';
import { formatBytes, formatDuration } from '../../limits/units.ts';
import { type CommandModule, isSet } from '../command.ts';
import { type Context, homeOf } from '../context.ts';
import { count } from '../counts.ts';
import { EXIT } from '../exit-codes.ts';

/** Being stopped is how a service ends, so it is no failure. */
export const run: CommandModule['run'] = async (context, input) => {
  const { config, clock, random, signal } = context;
  await runDaemon({
    home: homeOf(context),
    config,
    time: clock,
    zone: clock.zone,
    random: () => Buffer.from(random(4)).readUInt32BE() / 2 ** 32,
    fillRandom: (target) => target.set(random(target.length)),
    pid: process.pid,
    untilIdle: isSet(input, 'untilIdle'),
    onEvent: await logOf(context, input.options['json'] === true),
    signal,
  });
  return EXIT.ok;
};

/** Lines for a person on a terminal, pino's JSON for a journal. */
async function logOf({ out, clock, config }: Context, json: boolean): Promise<(event: DaemonEvent) => void> {
  if (out.stream.isTTY && !json)
    return (event) => out.line(`${formatTime(clock.now(), clock.zone)}  ${describe(event)}`);
  const { pino } = await import('pino');
  const log = pino({ level: config.logLevel, base: null, timestamp: pino.stdTimeFunctions.isoTime }, out.stream);
  return (event) => {
    const { kind, ...fields } = event;
    const isTrouble = kind === 'failed' || kind === 'trouble';
    log[isTrouble ? 'warn' : 'info']({ event: kind, ...slim(fields) }, describe(event));
  };
}

/** The list of what was left out may be long; its number says enough here. */
const slim = (fields: object): object =>
  'report' in fields ? { report: { ...(fields.report as object), skipped: undefined } } : fields;

function describe(event: DaemonEvent): string {
  switch (event.kind) {
    case 'started':
      return `the service runs (process ${event.pid})`;
    case 'stopped':
      return 'the service has stopped';
    case 'run':
      return `${event.set}: backing up ${event.walk === 'everything' ? 'everything' : 'what changed'} (${event.because})`;
    case 'done':
      return describeReport(event.report);
    case 'failed':
      return `${event.set}: failed (${event.code}): ${event.message}`;
    case 'note':
      return `${event.set}: ${event.text}`;
    case 'waiting':
      return `waiting: ${event.why.message}`;
    case 'back':
      return 'the server is back';
    case 'woke':
      return `woke after ${formatDuration(event.sleptMs)} asleep`;
    case 'watch':
      return `${event.set}: watcher ${event.state} (${event.detail})`;
    case 'trouble':
      return `${event.what} (${event.code}): ${event.message}`;
    default:
      return event satisfies never;
  }
}

function describeReport({
  set,
  kind,
  stats,
  snapshotId,
  unreadCount,
}: Extract<DaemonEvent, { kind: 'done' }>['report']): string {
  const skipped = unreadCount > 0 ? `, ${count(unreadCount)} could not be read` : '';
  if (kind === 'current') return `${set}: nothing has changed${skipped}`;
  return `${set}: snapshot ${snapshotId.slice(0, 12)}, ${count(stats.files)} files, ${formatBytes(stats.bytesStored)} sent${skipped}`;
}
