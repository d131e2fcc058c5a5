import { callDaemon } from '../../daemon/control.ts';
import type { RunEvent, RunReport } from '../../daemon/run-report.ts';
import { AgentError } from '../../errors.ts';
import { formatBytes, formatDuration } from '../../limits/units.ts';
import type { BackupSet } from '../../sets/backup-set.ts';
import { requireDevice } from '../../state/device.ts';
import { readPause } from '../../state/pause.ts';
import { readRenewal } from '../../state/renewal.ts';
import { findSet, readSettings, setsOf } from '../../state/settings.ts';
import { type CommandModule, isSet, textOption } from '../command.ts';
import { type Context, homeOf } from '../context.ts';
import { count, counted } from '../counts.ts';
import { EXIT } from '../exit-codes.ts';
import { renewalText } from '../renewal-text.ts';
import { waitTeller } from '../wait-teller.ts';
import { reasonInWords } from '../words.ts';

export const run: CommandModule['run'] = async (context, input) => {
  const { out, clock } = context;
  const home = homeOf(context);
  requireDevice(home);
  const settings = readSettings(home);
  const named = textOption(input, 'set');
  const sets = named === undefined ? setsOf(settings) : [findSet(settings, named)];
  if (sets.length === 0) throw new AgentError('selection_empty', { what: 'There is no backup set' });
  if (readPause(home, clock.now()) !== null) out.note('Backups are paused; this one runs because you ask for it.');
  const reports = await runWatched(context, sets, {
    allFolders: isSet(input, 'allFolders'),
    gentle: isSet(input, 'gentle'),
  });
  out.result(named !== undefined && reports.length === 1 ? { ...reports[0] } : { runs: reports }, () => {
    for (const report of reports) show(context, report);
    const keys = renewalText(readRenewal(home).due, clock.now());
    if (keys !== null) out.line(keys);
  });
  return reports.some(({ unreadCount }) => unreadCount > 0) ? EXIT.partial : EXIT.ok;
};

type How = { readonly allFolders: boolean; readonly gentle: boolean };

/** By the service if one runs, else here; what comes of it looks the same. */
async function runWatched(context: Context, sets: readonly BackupSet[], how: How): Promise<readonly RunReport[]> {
  const { out, signal } = context;
  const progress = await out.progress('backup');
  const waits = waitTeller(progress);
  const onEvent = (event: RunEvent): void => {
    if (event.kind === 'progress') {
      const { kind: _kind, entriesDone: itemsDone, entriesTotal: itemsTotal, ...bytes } = event;
      progress.update({ ...bytes, itemsDone, itemsTotal, unit: 'entries', waiting: waits.why });
      return;
    }
    const { kind, ...fields } = event;
    out.event(kind, fields);
    if (kind === 'note') progress.say(event.text);
    if (kind === 'waiting') waits.tell(event.why);
  };
  try {
    const request = { do: 'backup', sets: sets.map(({ id }) => id), ...how } as const;
    const answer = await callDaemon(homeOf(context), request, (event) => onEvent(event as RunEvent), signal);
    if (answer !== null) return answer.result as RunReport[];
    const { backUpHere } = await import('../back-up-here.ts');
    return await backUpHere(context, sets, how, onEvent);
  } finally {
    progress.stop();
  }
}

/** So many are shown; all are in --json. */
const SHOWN = 10;

function show({ out }: Context, report: RunReport): void {
  const { set, kind, snapshotId, stats, skipped, skippedCount } = report;
  const { files, bytes, bytesRead, bytesStored, seconds } = stats;
  const took = formatDuration(Math.max(1000, seconds * 1000));
  const held = `${counted(files, 'file')}, ${formatBytes(bytes)}`;
  if (kind === 'current')
    out.line(`${set}: nothing has changed since snapshot ${snapshotId.slice(0, 12)} (${held}; ${took})`);
  else {
    const sent = `${formatBytes(bytesRead)} read, ${formatBytes(bytesStored)} sent, ${took}`;
    out.line(`${set}: snapshot ${snapshotId.slice(0, 12)}, ${held} (${sent})`);
  }
  if (skippedCount === 0) return;
  out.line(leftOut(report));
  for (const { path, reason } of skipped.slice(0, SHOWN)) out.line(`  ${path} (${reasonInWords(reason)})`);
  if (skippedCount > SHOWN) out.line(`  and ${count(skippedCount - SHOWN)} more; --json lists them`);
}

function leftOut({ skippedCount, unreadCount }: RunReport): string {
  if (unreadCount === skippedCount) return `${count(unreadCount)} could not be read and are not in it:`;
  const nothing = `${counted(skippedCount - unreadCount, 'socket')} without content`;
  return `Not in it: ${unreadCount > 0 ? `${count(unreadCount)} that could not be read, ` : ''}${nothing}:`;
}
