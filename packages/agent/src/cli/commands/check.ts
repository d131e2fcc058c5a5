import { type CheckEvent, type CheckResult, checkArchive } from '@holdfast/archive/check/check-archive.ts';
import { type CheckProblem, isDamage } from '@holdfast/archive/check/problem.ts';
import { toHex } from '@holdfast/archive/format/ids.ts';
import { type Unexplained, unexplainedRetirements } from '../../archive/history.ts';
import type { OpenedArchive } from '../../archive/opened-archive.ts';
import { pathsFields, shownPath } from '../../archive/shown-path.ts';
import { formatTime } from '../../archive/time.ts';
import { formatBytes } from '../../limits/units.ts';
import { readRun, writeRun } from '../../state/run-record.ts';
import { readSettings, setsOf } from '../../state/settings.ts';
import { openArchive } from '../archive-access.ts';
import { type Expected, expectedOf, progressOf } from '../check-progress.ts';
import { type CommandModule, isSet, textOption } from '../command.ts';
import { type Context, homeOf } from '../context.ts';
import { count } from '../counts.ts';
import { EXIT } from '../exit-codes.ts';
import { isOutdated, tellOutdated, tellRefusals } from '../refusals.ts';

export const run: CommandModule['run'] = async (context, input) => {
  const archive = await openArchive(context, input);
  const progress = await context.out.progress('check');
  try {
    const expected = expectedOf((await archive.snapshots(context.signal)).list, isSet(input, 'readData'));
    const result = await checkArchive({
      endpoint: archive.endpoint,
      keys: archive.keys,
      devices: archive.devices,
      readData: isSet(input, 'readData'),
      // A folder that is read directly has nobody to report to
      report: textOption(input, 'store') === undefined,
      signal: context.signal,
      onEvent: (event) => tell(event, context, progress, expected),
    });
    progress.stop();
    tellRefusals(context, archive, []);
    const retired = await unexplainedHere(context, archive);
    const { problems: all, ...counts } = result;
    const { problems, outdatedFor } = apart(archive, all);
    tellOutdated(context.out, outdatedFor.length);
    const documents = [...problems.map(documentOf), ...retired.map(retiredDocument)];
    const { damaged } = archive;
    context.out.result({ ...counts, problems: documents, damagedFiles: damaged, outdatedFor }, () =>
      show(context, { ...result, problems }, retired, damaged.length + outdatedFor.length),
    );
    if (problems.some(isDamage) || damaged.length > 0 || retired.length > 0) return EXIT.damaged;
    return outdatedFor.length > 0 ? EXIT.keyNeeded : EXIT.ok;
  } finally {
    progress.stop();
    archive.close();
  }
};

/** A snapshot that only a newer key opens is no problem of the archive's. */
function apart(archive: OpenedArchive, all: readonly CheckProblem[]) {
  const { outdated = [], others = [] } = Object.groupBy(all, (problem) =>
    problem.kind === 'snapshot' && isOutdated(archive, problem.error) ? 'outdated' : 'others',
  );
  const outdatedFor = outdated.flatMap((problem) => (problem.kind === 'snapshot' ? [toHex(problem.snapshotId)] : []));
  return { problems: others, outdatedFor };
}

/** Snapshots of this device that went away without a reason; whoever has looked need not be told again by `status`. */
async function unexplainedHere(context: Context, archive: OpenedArchive): Promise<Unexplained[]> {
  if (archive.own === null) return [];
  const home = homeOf(context);
  const settings = readSettings(home);
  const { list } = await archive.snapshots(context.signal);
  for (const { id } of setsOf(settings)) {
    const run = readRun(home, id);
    if (run.notes.length > 0) writeRun(home, { ...run, notes: [] });
  }
  return unexplainedRetirements(archive, list, settings, context.signal);
}

const retiredDocument = ({ id, setId, receivedAt, retiredAt, reason }: Unexplained) => ({
  kind: 'retired',
  snapshot: id,
  setId,
  receivedAt,
  retiredAt,
  reason,
});

function tell(
  event: CheckEvent,
  { out }: Context,
  progress: Awaited<ReturnType<Context['out']['progress']>>,
  expected: Expected,
): void {
  if (event.kind === 'progress') progress.update(progressOf(event, expected));
  else if (event.kind === 'problem') out.event('problem', documentOf(event.problem));
}

function documentOf(problem: CheckProblem) {
  switch (problem.kind) {
    case 'snapshot':
      return {
        kind: problem.kind,
        snapshot: toHex(problem.snapshotId),
        code: problem.error.code,
      };
    case 'fork':
    case 'order':
      return { kind: problem.kind, snapshots: problem.snapshotIds.map(toHex) };
    default: {
      const affected = problem.affected.map(({ snapshotId, paths }) => ({
        snapshot: toHex(snapshotId),
        ...pathsFields(paths),
      }));
      return { kind: problem.kind, chunk: toHex(problem.id), code: problem.error.code, affected };
    }
  }
}

const SHOWN = 20;

function show(
  { out, clock }: Context,
  { snapshots, structure, content, contentRead, bytes, problems }: CheckResult,
  retired: readonly Unexplained[],
  unread: number,
): void {
  const read = contentRead > 0 ? `${count(contentRead)} of them opened` : 'none of them opened; --read-data does that';
  out.line(
    `${count(snapshots)} snapshots, ${count(structure)} trees and lists opened, ${count(content)} pieces of content found (${read}); ${formatBytes(bytes)} read.`,
  );
  for (const { id, receivedAt, retiredAt } of retired) {
    const [made, gone] = [formatTime(receivedAt, clock.zone), formatTime(retiredAt, clock.zone)];
    out.line(
      `Snapshot ${id.slice(0, 12)} of ${made} was retired ${gone}, and retention does not explain it. Ask your administrator.`,
    );
  }
  if (problems.length === 0 && retired.length + unread > 0) return;
  if (problems.length === 0) {
    out.line('Everything is there.');
    return;
  }
  out.line(`${count(problems.length)} problems:`);
  for (const problem of problems.slice(0, SHOWN)) out.line(`  ${describe(problem)}`);
  if (problems.length > SHOWN) out.line(`  and ${count(problems.length - SHOWN)} more; --json lists them`);
  if (problems.some(isDamage)) out.line('The next backup stores again what it still finds on this device.');
}

function describe(problem: CheckProblem): string {
  switch (problem.kind) {
    case 'snapshot':
      return `snapshot ${shortId(problem.snapshotId)}: ${problem.error.message}`;
    case 'fork':
      return `snapshots ${problem.snapshotIds.map(shortId).join(', ')} follow the same one: a cloned machine or an old image`;
    case 'order':
      return `snapshots ${problem.snapshotIds.map(shortId).join(', ')} are not in order`;
    default: {
      const paths = [...new Set(problem.affected.flatMap((each) => each.paths.map(shownPath)))].slice(0, 3);
      const where = paths.length === 0 ? '' : `, needed for ${paths.join(', ')}`;
      return `chunk ${shortId(problem.id)} is ${WORDS[problem.kind]}${where}`;
    }
  }
}

const WORDS = {
  missing: 'missing',
  damaged: 'damaged',
  wrongKind: 'another kind of chunk than belongs there',
  invalid: 'not as the format says',
  short: 'shorter than its file says',
} as const;

const shortId = (id: Uint8Array): string => toHex(id).slice(0, 12);
