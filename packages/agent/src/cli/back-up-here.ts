import { backUpSet } from '../daemon/back-up-set.ts';
import { explainFailure } from '../daemon/failure.ts';
import { observeRun, type RunEvent, type RunReport } from '../daemon/run-report.ts';
import { inputSources, lastInput } from '../present/last-input.ts';
import { limitsFor, presenceAt } from '../present/presence.ts';
import type { BackupSet } from '../sets/backup-set.ts';
import type { Home } from '../state/home.ts';
import { readSettings, valuesOf } from '../state/settings.ts';
import type { Context } from './context.ts';
import { openServer } from './server-access.ts';

/** A backup by the command itself, when no service runs: every folder is walked, since nobody watched them. */
export async function backUpHere(
  context: Context,
  sets: readonly BackupSet[],
  { gentle }: { readonly gentle: boolean },
  onEvent: (event: RunEvent) => void,
): Promise<RunReport[]> {
  const { config, clock, random, signal } = context;
  const access = await openServer(context, (waiting) => {
    onEvent({ kind: 'waiting', why: waiting === null ? null : String((waiting.error as Error).message) });
  });
  try {
    const { connection } = access;
    const { values, cpu } = await limitsHere(context, access.home, gentle);
    const reports: RunReport[] = [];
    for (const set of sets) {
      const observer = observeRun(set, onEvent, () => access.connection.upload.passed);
      const outcomes = await backUpSet({
        home: access.home,
        device: access.device,
        // Described anew for each set: the one before may have followed or renewed the identity
        open: async () => ({ connection, context: await connection.context(signal) }),
        config,
        set,
        walk: 'everything',
        changed: [],
        cpu: () => cpu,
        workers: values.workers,
        now: clock.now,
        fillRandom: (target) => target.set(random(target.length)),
        ...observer,
        signal,
      }).catch((error: unknown) => {
        throw explainFailure(error);
      });
      reports.push(...observer.report(outcomes));
    }
    return reports;
  } finally {
    access.connection.close();
  }
}

async function limitsHere({ config, clock }: Context, home: Home, gentle: boolean) {
  const values = valuesOf(readSettings(home));
  if (!gentle) return { values, cpu: 1 };
  const now = clock.now();
  const presence = presenceAt(now, await lastInput(inputSources(config), now), values['away.after']);
  return { values, cpu: limitsFor(presence, values).cpu };
}
