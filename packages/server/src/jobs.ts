import { Cron } from 'croner';
import type { FastifyInstance } from 'fastify';
import type { Logger } from 'pino';
import { append } from './authority/audit/audit.ts';
import type { Authority } from './authority/authority.ts';
import { inTransaction } from './authority/context.ts';
import { writeDump } from './authority/dump/write-dump.ts';
import { type ClockJob, noteJob } from './authority/job-failures.ts';
import { serverCertificate } from './authority/keyring/keystore.ts';
import type { ServerConfig } from './config.ts';
import { ServerError } from './errors.ts';
import type { Foundation } from './foundation.ts';
import type { JobName } from './storage/maintenance/events.ts';
import { logEvent, SCHEDULE } from './storage/maintenance/maintenance.ts';
import type { Storage } from './storage/storage.ts';
import { VERSION } from './version.ts';

/** What the server does by the clock. A failed job is logged and tried again at its next time. */

export type JobOptions = {
  readonly config: ServerConfig;
  readonly foundation: Foundation;
  readonly authority: Pick<Authority, 'tidy' | 'maintenanceHold'>;
  readonly storage: Pick<Storage, 'maintenance' | 'probe'>;
  readonly https: FastifyInstance;
  readonly names: readonly string[];
  readonly log: Logger;
};

const EACH_MINUTE = '* * * * *';
const HOURLY = '17 * * * *';
const DAILY = '31 4 * * *';

export function startJobs(options: JobOptions): { stop(): Promise<void> } {
  const { config, log } = options;
  const closing = new AbortController();
  const running = new Set<Promise<void>>();
  const job = (name: string, schedule: string, work: () => Promise<void>) =>
    new Cron(schedule, { protect: true, unref: true }, () => {
      const run = work()
        .catch((err: unknown) => {
          if (!closing.signal.aborted) log.error({ err, job: name }, 'job failed');
        })
        .finally(() => running.delete(run));
      running.add(run);
      return run;
    });
  const jobs = [
    job('dump', config.dumpSchedule, () => noted(options, 'dump', () => nightlyDump(options))),
    job('tidy', HOURLY, () => noted(options, 'tidy', () => options.authority.tidy())),
    job('certificate', DAILY, () => noted(options, 'certificate', () => renewCertificate(options))),
    job('probe', EACH_MINUTE, () => options.storage.probe()),
    ...SCHEDULE.map(({ job: name, cron }) => job(name, cron, () => maintain(options, name, closing.signal))),
  ];
  return {
    async stop() {
      for (const cron of jobs) cron.stop();
      closing.abort();
      await Promise.all(running);
    },
  };
}

/** Keeps how a job ended, for health; a job of the storage is kept there. */
export async function noted(
  { foundation: { context } }: Pick<JobOptions, 'foundation'>,
  job: ClockJob,
  work: () => Promise<void>,
): Promise<void> {
  const { kysely } = context.database;
  try {
    await work();
  } catch (error) {
    // What keeps it from being noted mostly is what made it fail, and that is told
    await noteJob(kysely, job, 'failed').catch(() => undefined);
    throw error;
  }
  await noteJob(kysely, job, 'done');
}

/** These take something away for good, so they wait until an administrator has looked at what a recovery brought back. */
export const isHeldBack = (job: JobName | 'all'): boolean => job === 'retention' || job === 'collect' || job === 'all';

async function maintain(options: JobOptions, job: JobName, signal: AbortSignal): Promise<void> {
  const { authority, storage, log } = options;
  if (isHeldBack(job)) {
    const reason = await authority.maintenanceHold();
    if (reason !== null) return log.warn({ job, reason }, 'held until "holdfast-server maintain --enable"');
  }
  const summary = await storage.maintenance.run(job, { signal, onEvent: (event) => logEvent({ log }, event) });
  log.info({ job, ...summary }, 'maintenance ran');
}

async function nightlyDump({ config, foundation, log }: JobOptions): Promise<void> {
  try {
    const path = await makeDump(config, foundation);
    log.info({ path }, 'dump made');
  } catch (error) {
    if (!(error instanceof ServerError && error.code === 'kit_missing')) throw error;
    log.error({ code: error.code }, error.message);
  }
}

/** Writes a dump and notes it. */
export async function makeDump(
  config: Pick<ServerConfig, 'keystoreDir' | 'dumpDir' | 'dumpsKept'>,
  { context, keystore }: Foundation,
): Promise<string> {
  const path = await writeDump({
    database: context.database,
    keystoreDir: config.keystoreDir,
    serverId: keystore.serverId,
    dumpDir: config.dumpDir,
    version: VERSION,
    now: context.now(),
    kept: config.dumpsKept,
  });
  const details = { path };
  await inTransaction(context, async (trx) => {
    await noteJob(trx, 'dump', 'done');
    await append(trx, { at: context.now(), actor: 'system', action: 'dump.made', details });
  });
  return path;
}

/** New connections get the new certificate, those in progress go on. */
export async function renewCertificate({
  foundation,
  https,
  names,
  log,
}: Pick<JobOptions, 'foundation' | 'https' | 'names' | 'log'>): Promise<void> {
  const { keystore, context } = foundation;
  const { certificate, key, renewed } = await serverCertificate(keystore, names, context.now());
  if (!renewed) return;
  (https.server as unknown as import('node:tls').Server).setSecureContext({ cert: certificate, key });
  log.info('certificate renewed');
}
