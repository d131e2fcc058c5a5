import { printable, printableJson } from '@holdfast/protocol/printable.ts';
import { Argument, type Command } from 'commander';
import { archivePolicy } from '../archive-policy.ts';
import { maintenanceHold, releaseMaintenance } from '../authority/maintenance-hold.ts';
import { settingsOf } from '../authority/settings/settings.ts';
import type { ServerFlags } from '../config.ts';
import { ServerError } from '../errors.ts';
import { type Foundation, openFoundation } from '../foundation.ts';
import { createLog } from '../http/log.ts';
import { isHeldBack } from '../jobs.ts';
import { JOBS, type JobName, type MaintenanceEvent } from '../storage/maintenance/events.ts';
import { createStorage, reindex } from '../storage/storage.ts';
import { openStorageRole, type StorageRole, storageOptions } from '../storage-role.ts';
import { configOf, print, withData, withJson } from './options.ts';

type Flags = ServerFlags & { json?: boolean };

/** Commands that look after archives. They need no key. */
export function addMaintain(program: Command): void {
  withJson(withData(program.command('maintain')))
    .description('Look after archives, beside a running server.')
    .addArgument(
      new Argument('[job]', 'what to do; all is retention, collect, compact, verify')
        .choices(['all', ...JOBS])
        .default('all'),
    )
    .option('--archive <id>', 'only this archive')
    .option('--enable', 'turn retention and collect on again after a recovery or a reindex')
    .addHelpText('after', '\nExample:\n  holdfast-server maintain verify --data /var/lib/holdfast')
    .action(maintain);

  withJson(withData(program.command('reindex')))
    .description('Make the index anew from the store point alone; the server must not run.')
    .addHelpText('after', '\nExample:\n  holdfast-server reindex --data /var/lib/holdfast')
    .action(rebuild);
}

async function maintain(
  job: JobName | 'all',
  { json, archive, enable, ...flags }: Flags & { archive?: string; enable?: boolean },
): Promise<void> {
  if (archive !== undefined && !/^[0-9a-f]{32}$/.test(archive))
    throw new ServerError('config_invalid', { message: `"${archive}" is no archive id: 32 lower-case hex digits` });
  await withRole(flags, async ({ context }, role) => {
    if (enable) await releaseMaintenance(context, 'system');
    else if (isHeldBack(job) && (await maintenanceHold(context.database.kysely)) !== null)
      throw new ServerError('maintenance_held');
    const policyOf = async () => archivePolicy(await settingsOf(context.database.kysely));
    const storage = await createStorage({ ...storageOptions(role), policyOf });
    try {
      await storage.ready;
      const summary = await storage.maintenance.run(job, {
        archive,
        enable,
        signal: stopSignal(),
        onEvent: (event) => show(json, event),
      });
      print(json, { kind: 'summary', ...summary }, sentence(summary));
      if (summary.failed > 0 || summary.alerts > 0) process.exitCode = 1;
    } finally {
      await storage.close();
    }
  });
}

async function rebuild({ json, ...flags }: Flags): Promise<void> {
  await withRole(flags, async (_, { point, ports }) => {
    const result = await reindex({
      ...ports,
      point,
      signal: stopSignal(),
      onEvent: (event) => show(json, event),
    });
    const text =
      `Indexed ${result.packs} packs and ${result.snapshots} snapshots of ${result.archives} archives.\n` +
      'Retention and collect are off: look at the archives, then run "holdfast-server maintain --enable".';
    print(json, { kind: 'summary', ...result }, text);
  });
}

async function withRole(
  flags: ServerFlags,
  work: (foundation: Foundation, role: StorageRole) => Promise<void>,
): Promise<void> {
  const config = configOf(flags);
  const foundation = await openFoundation(config, { create: false, now: Date.now });
  try {
    const role = await openStorageRole(config, foundation.keystore, { now: Date.now, log: createLog('warn') });
    await work(foundation, role);
  } finally {
    await foundation.close();
  }
}

/** A first Ctrl-C ends the step in progress; every job goes on another time where it stopped. */
function stopSignal(): AbortSignal {
  const stop = new AbortController();
  process.once('SIGINT', () => stop.abort());
  process.once('SIGTERM', () => stop.abort());
  return stop.signal;
}

function show(json: boolean | undefined, event: MaintenanceEvent): void {
  if (json === true) {
    const error = event.kind === 'failed' ? { error: String(event.error) } : {};
    process.stdout.write(`${printableJson(JSON.stringify({ ...event, ...error }))}\n`);
    return;
  }
  const text = line(event);
  if (text !== null) process.stdout.write(`${event.archive.slice(0, 8)}  ${event.job}: ${printable(text)}\n`);
}

/** Progress of single packs is for programs. */
function line(event: MaintenanceEvent): string | null {
  switch (event.kind) {
    case 'started':
      return null;
    case 'progress':
      return event.done === event.total || event.done % 100 === 0 ? progress(event) : null;
    case 'waiting':
      return `waits for ${event.sessions} sessions that began before; run it again later`;
    case 'skipped':
      return WHY[event.why];
    case 'alert':
      return `ALERT ${event.message}`;
    case 'failed':
      return `failed: ${event.error instanceof Error ? event.error.message : String(event.error)}`;
    case 'finished':
      return Object.entries(event.result)
        .map(([name, value]) => `${name} ${value}`)
        .join(', ');
    default:
      return event satisfies never;
  }
}

const WHY = {
  busy: 'another run is at it',
  held: 'off until an administrator allows it with --enable',
  stopped: 'not done, see the alert',
} as const;

function progress({ step, done, total, unit, rate }: MaintenanceEvent & { kind: 'progress' }): string {
  const speed = rate === undefined ? '' : `, ${(rate / 1e6).toFixed(1)} MB/s`;
  return `${step} ${done} of ${total} ${unit}${speed}`;
}

const sentence = (summary: { finished: number; waiting: number; skipped: number; failed: number; alerts: number }) =>
  `${summary.finished} done, ${summary.waiting} waiting, ${summary.skipped} skipped, ${summary.failed} failed, ${summary.alerts} alerts.`;
