import { lossesAmong } from '@holdfast/archive/backup/skip.ts';
import { matching } from '../../archive/choose.ts';
import { pathsFields } from '../../archive/shown-path.ts';
import { PROBLEM_WORDS, type Snapshot } from '../../archive/snapshots.ts';
import { formatTime } from '../../archive/time.ts';
import { formatBytes } from '../../limits/units.ts';
import { openArchive, wantedOf } from '../archive-access.ts';
import type { CommandModule } from '../command.ts';
import type { Context } from '../context.ts';
import { count } from '../counts.ts';
import { EXIT } from '../exit-codes.ts';
import { exitWithout, refusalFields, tellRefusals } from '../refusals.ts';
import { table } from '../table.ts';

export const run: CommandModule['run'] = async (context, input) => {
  const archive = await openArchive(context, input);
  try {
    const snapshots = await archive.snapshots(context.signal);
    tellRefusals(context, archive, snapshots.refused);
    const list = matching(snapshots.list, wantedOf(context, input, archive, []));
    const document = {
      snapshots: list.map(describe),
      ...refusalFields(archive, snapshots.refused),
    };
    context.out.result(document, () => show(context, list));
    return archive.damaged.length > 0 ? EXIT.damaged : exitWithout(archive, snapshots.refused);
  } finally {
    archive.close();
  }
};

function describe(snapshot: Snapshot) {
  const { id, device, set, sequence, at, receivedAt, deviceTime, partial, problems, description } = snapshot;
  const { counts, paths, skipped, skippedCount, agentVersion, os } = description;
  return {
    id,
    at,
    receivedAt,
    deviceTime,
    device,
    set,
    sequence,
    partial,
    problems,
    ...counts,
    ...pathsFields(paths),
    skippedCount,
    unreadCount: lossesAmong(skipped, skippedCount),
    agentVersion,
    os,
  };
}

function show({ out, clock }: Context, list: readonly Snapshot[]): void {
  if (list.length === 0) {
    out.line('No snapshots yet. `holdfast backup` makes one.');
    return;
  }
  const rows = list.map((snapshot) => {
    const { files, bytes } = snapshot.description.counts;
    const { id, at, device, set } = snapshot;
    const size = [count(files).padStart(11), formatBytes(bytes).padStart(8)];
    return [id.slice(0, 12), formatTime(at, clock.zone), ...size, device.name, set.name, remarks(snapshot)];
  });
  const head = ['snapshot', 'time', 'files'.padStart(11), 'size'.padStart(8), 'device', 'set', ''];
  for (const line of table([head, ...rows])) out.line(line);
}

function remarks({ partial, problems, description }: Snapshot): string {
  const unread = lossesAmong(description.skipped, description.skippedCount);
  const parts = [
    partial ? 'interim' : '',
    ...problems.map((problem) => PROBLEM_WORDS[problem]),
    unread > 0 ? `${count(unread)} not read` : '',
  ];
  return parts.filter((part) => part !== '').join(', ');
}
