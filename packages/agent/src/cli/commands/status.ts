import { formatDistance, formatTime } from '../../archive/time.ts';
import { callDaemon } from '../../daemon/control.ts';
import type { DaemonStatus, SetStatus, Status } from '../../daemon/status.ts';
import { CODES } from '../../errors.ts';
import { formatBytes, formatDuration, formatRate, formatShare } from '../../limits/units.ts';
import { readDevice } from '../../state/device.ts';
import type { Home } from '../../state/home.ts';
import type { WatchState } from '../../watch/watcher.ts';
import type { CommandModule } from '../command.ts';
import { type Context, homeOf } from '../context.ts';
import { count, counted } from '../counts.ts';
import { EXIT } from '../exit-codes.ts';
import { renewalText } from '../renewal-text.ts';
import { askStanding, describeStanding, type Standing } from '../standing.ts';
import { inWords } from '../words.ts';

export const run: CommandModule['run'] = async (context) => {
  const home = homeOf(context);
  const answer = await callDaemon(home, { do: 'status' });
  const status = answer === null ? await statusWithoutService(context, home) : (answer.result as Status);
  const device = readDevice(home);
  const standing = device && (await askStanding(context, device, home, answer !== null));
  const hasKey = device !== null && device.archive !== null;
  context.out.result({ ...status, standing, hasKey }, () => {
    show(context, status, standing);
    if (device !== null && !hasKey) context.out.line(CODES.enrolment_unfinished);
  });
  if (!hasKey) return EXIT.notEnrolled;
  return standing?.kind === 'refused' ? EXIT.refused : EXIT.ok;
};

async function statusWithoutService({ clock }: Context, home: Home): Promise<Status> {
  const { readStatus } = await import('../../daemon/read-status.ts');
  return readStatus(home, clock.now(), clock.zone);
}

function show(context: Context, { device, daemon, pause, renewal, sets }: Status, standing: Standing | null): void {
  const { out, clock } = context;
  if (device === null) {
    out.line('This device is not enrolled: `holdfast enrol STRING`.');
    return;
  }
  out.line(`${device.name}, device of ${device.user} at ${device.server}`);
  const trouble = standing && describeStanding(standing);
  if (trouble !== null) out.line(trouble);
  if (daemon === null)
    out.line('The service does not run: nothing is backed up by itself (`holdfast service install`).');
  else showService(context, daemon);
  if (pause !== null) {
    const end = pause.until === null ? 'until `holdfast resume`' : `until ${formatTime(pause.until, clock.zone)}`;
    out.line(`Paused ${end}.`);
  }
  const keys = renewalText(renewal, clock.now());
  if (keys !== null) out.line(keys);
  for (const set of sets) showSet(context, set, daemon !== null);
}

function showService({ out, clock }: Context, daemon: DaemonStatus): void {
  const now = clock.now();
  const since = formatDuration(now - daemon.startedAt);
  const { presence, limits, power, waiting, running, slept } = daemon;
  const rates = `upload ${formatRate(limits.upload)}, download ${formatRate(limits.download)}`;
  const battery = power.onBattery && power.charge !== null ? `, on battery (${formatShare(power.charge)})` : '';
  out.line(`The service runs since ${since}; ${presence}: CPU ${formatShare(limits.cpu)}, ${rates}${battery}.`);
  if (running !== null) {
    const { entriesDone, entriesTotal, bytesDone, bytesTotal, bytesSent } = running;
    const entries =
      entriesTotal === null ? 'looking for changes' : `${count(entriesDone)} of ${count(entriesTotal)} entries`;
    const bytes = bytesTotal === null ? '' : `, ${formatBytes(bytesDone)} of ${formatBytes(bytesTotal)}`;
    out.line(`Backing up ${running.set}: ${entries}${bytes}, ${formatBytes(bytesSent)} sent.`);
    if (running.waiting !== null) out.line(`  waiting: ${inWords(running.waiting)}`);
  } else if (waiting !== null && waiting.code !== 'paused') {
    const again = daemon.until === null ? '' : `; looks again ${formatDistance(daemon.until, now)}`;
    const from = waiting.since === null ? '' : ` since ${formatTime(waiting.since, clock.zone)}`;
    out.line(`Waiting: ${waiting.message}${from}${again}.`);
  }
  if (slept !== null) {
    out.line(`Woke ${formatDistance(slept.wokeAt, now)} after ${formatDuration(slept.ms)} asleep.`);
  }
}

function showSet({ out, clock }: Context, { name, run, next, watch }: SetStatus, served: boolean): void {
  const now = clock.now();
  const { doneAt, last, failure } = run;
  out.line('');
  out.line(
    `${name}: ${doneAt === null ? 'not backed up yet' : `backed up as of ${formatTime(doneAt, clock.zone)} (${formatDistance(doneAt, now)})`}`,
  );
  if (last !== null) {
    const skipped = last.skipped > 0 ? `, ${count(last.skipped)} could not be read` : '';
    out.line(
      `  ${counted(last.files, 'file')}, ${formatBytes(last.bytes)}${skipped}; snapshot ${last.snapshot?.slice(0, 12) ?? '-'}`,
    );
  }
  if (failure !== null) {
    const times = failure.count > 1 ? ` (${failure.count} times)` : '';
    out.line(`  failed ${formatDistance(failure.at, now)}${times}: ${failure.message}`);
  }
  for (const note of run.notes) out.line(`  look at this: ${note}`);
  if (run.notes.length > 0) out.line('  `holdfast check` says more, and takes these lines away');
  if (!served) return;
  const what = next.walk === 'everything' ? 'everything is walked' : 'what changed is backed up';
  out.line(`  ${next.at <= now ? 'due now' : `next ${formatDistance(next.at, now)}`}: ${what}`);
  out.line(`  ${watchText(watch, now)}`);
}

function watchText(watch: WatchState, now: number): string {
  switch (watch.kind) {
    case 'off':
      return 'folders are not watched; each run walks all of them';
    case 'starting':
      return 'beginning to watch the folders';
    case 'watching': {
      const closed = watch.closed > 0 ? ` (${count(watch.closed)} may not be read)` : '';
      return `${counted(watch.folders, 'folder')} watched${closed}`;
    }
    case 'lost':
      return `folders are not watched since ${formatDistance(watch.at, now)}: ${WHY[watch.why.kind]} (${watch.why.detail})`;
    default:
      return watch satisfies never;
  }
}

const WHY = {
  burst: 'too much changed at once; the next run walks everything',
  limit: 'the system allows no more watches (raise fs.inotify.max_user_watches); each run walks everything',
  error: 'the next run walks everything',
} as const;
