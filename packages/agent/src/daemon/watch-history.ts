import { join } from 'node:path';
import { unexplainedRetirements } from '../archive/history.ts';
import { openRemoteArchive } from '../archive/remote-archive.ts';
import { formatTime } from '../archive/time.ts';
import type { EnrolledDevice } from '../state/device.ts';
import type { Home } from '../state/home.ts';
import { tryLock } from '../state/lock.ts';
import { readRun, writeRun } from '../state/run-record.ts';
import { readSettings } from '../state/settings.ts';
import type { ServerWay } from './back-up-set.ts';

/** Once a day: did snapshots of this device go away that retention should have kept? What is found stays in the sets' records. */
type Options = ServerWay & {
  readonly home: Home;
  readonly device: EnrolledDevice;
  readonly zone: string;
  readonly signal: AbortSignal;
};

/** Answers one line per snapshot. */
export async function watchHistory({ home, device, zone, signal, ...way }: Options): Promise<string[]> {
  // Not closed at the end: the connection is the service's
  const archive = await openRemoteArchive({ home, device, ...way, signal });
  const { list } = await archive.snapshots(signal);
  const found = await unexplainedRetirements(archive, list, readSettings(home), signal);
  return found.map(({ id, setId, receivedAt }) => {
    const line = `snapshot ${id.slice(0, 12)} of ${formatTime(receivedAt, zone)} was retired, and retention does not explain it`;
    keepNote(home, setId, line);
    return line;
  });
}

/** A command that runs this set right now writes the record itself; the next day finds it again. */
function keepNote(home: Home, set: string, line: string): void {
  const lock = tryLock(join(home.locks, `set-${set}`));
  if (lock === null) return;
  try {
    const run = readRun(home, set);
    if (!run.notes.includes(line)) writeRun(home, { ...run, notes: [...run.notes, line].slice(-5) });
  } finally {
    lock.release();
  }
}
