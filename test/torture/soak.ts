/**
 * Server and service for as long as wanted, under constant change: files are made, changed, renamed and deleted, directories moved;
 * the service backs up what its watcher saw, each minute by itself and in between when it is asked; maintenance and restores run
 * beside. What both use is sampled, and must not grow; the last state restores exactly.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { answer } from '../../scripts/processes.ts';
import { Daemon, whileRuns } from './support/daemon.ts';
import type { Random } from './support/random.ts';
import { HANGS_MS } from './support/run-to-end.ts';
import { together } from './support/together.ts';
import { changeOne } from './support/tree.ts';
import { type Judgement, judge, MEASURES, type Measure, TOLERANCE, type Usage, usageOf } from './support/usage.ts';
import { type BackupReport, type Device, SET, SMALL, World } from './support/world.ts';

const PROCESSES = ['server', 'service'] as const;
type Process = (typeof PROCESSES)[number];

export type SoakResult = {
  readonly rows: readonly ({ readonly process: Process; readonly measure: Measure } & Judgement)[];
  readonly samples: number;
  readonly done: Readonly<Record<'changes' | 'asked' | 'backups' | 'restores' | 'maintenance', number>>;
};

/** A file that was there when the walk began: it is told, and no failure where all changes all the time. */
const SOMETHING_VANISHED = 3;
const SECOND = 1000;
const MINUTE = 60 * SECOND;

/** ms from one to the next; in a short soak as often as gives each a few turns. */
function rhythm(ms: number) {
  const each = (share: number, most: number): number => Math.min(most, ms / share);
  return {
    sample: each(60, 2 * SECOND),
    change: each(100, 250),
    asked: each(3, 40 * SECOND),
    restore: each(2, 90 * SECOND),
    maintain: each(2, MINUTE),
  };
}

/** Rejects when something fails; growth is told. */
export async function soak(ms: number, random: Random): Promise<SoakResult> {
  const world = new World(random, SMALL);
  try {
    await world.begin(['laptop']);
    const device = world.device('laptop');
    answer(await world.onDevice(device, ['sets', 'edit', SET, '--every', '1m']));
    const samples: Record<Process, Usage[]> = { server: [], service: [] };
    const done = { changes: 0, asked: 0, backups: 0, restores: 0, maintenance: 0 };
    await whileRuns(new Daemon(world, device, {}, ms + HANGS_MS), async (daemon) => {
      await live(world, device, daemon, random, ms, samples, done);
      await endsExactly(world, device);
      done.backups = requireNoFailure(daemon);
    });
    return { rows: judged(samples), samples: samples.server.length, done };
  } finally {
    await world.end();
  }
}

type Counts = { -readonly [name in keyof SoakResult['done']]: number };

async function live(
  world: World,
  device: Device,
  daemon: Daemon,
  random: Random,
  ms: number,
  samples: Record<Process, Usage[]>,
  done: Counts,
): Promise<void> {
  const failed = new AbortController();
  const over = AbortSignal.any([AbortSignal.timeout(ms), failed.signal]);
  const every = rhythm(ms);
  const most = 2 * SMALL.files;
  const turns = [
    again(over, every.change, async () => {
      changeOne(device.tree, random, most);
      done.changes += 1;
    }),
    again(over, every.sample, async () => {
      samples.server.push(usageOf(world.server.pid));
      samples.service.push(usageOf(daemon.pid));
    }),
    again(over, every.asked, async () => {
      answer(await world.onDevice(device, ['backup', '--set', SET]), [0, SOMETHING_VANISHED]);
      done.asked += 1;
    }),
    again(over, every.restore, async () => {
      const to = world.newFolder();
      answer(await world.onDevice(device, ['restore', '--to', to]));
      world.discard(to);
      done.restores += 1;
    }),
    again(over, every.maintain, async () => {
      await world.maintain('all');
      done.maintenance += 1;
    }),
  ];
  for (const turn of turns) turn.catch(() => failed.abort());
  await together(turns);
}

/** Until it is over; no turn begins while the one before lasts. */
async function again(over: AbortSignal, everyMs: number, turn: () => Promise<void>): Promise<void> {
  while (!over.aborted) {
    const began = performance.now();
    await turn();
    const left = everyMs - (performance.now() - began);
    if (left > 0) await sleep(left, undefined, { signal: over }).catch(() => {}); // cut short: it is over
  }
}

/** What the watcher saw last may still be on its way, so this one walks everything. */
async function endsExactly(world: World, device: Device): Promise<void> {
  const manifest = world.manifest(device);
  const [report] = asList(
    answer<BackupReport | BackupReport[]>(await world.onDevice(device, ['backup', '--set', SET, '--all-folders'])),
  );
  if (report === undefined) throw new Error('a backup without a report');
  world.acknowledged(device, report, manifest);
  await world.restores({ device: device.name, snapshot: report.snapshotId, manifest });
}

const asList = <T>(one: T | T[]): T[] => (Array.isArray(one) ? one : [one]);

/** Returns how many backups it made. */
function requireNoFailure(daemon: Daemon): number {
  const failed = daemon.said(({ event }) => event === 'failed' || event === 'trouble');
  if (failed.length > 0)
    throw new Error(`the service tells of ${failed.length} failures: ${JSON.stringify(failed[0])}`);
  return daemon.said(({ event }) => event === 'done').length;
}

function judged(samples: Readonly<Record<Process, readonly Usage[]>>): SoakResult['rows'] {
  return PROCESSES.flatMap((process) =>
    MEASURES.map((measure) => ({ process, measure, ...judge(samples[process], measure) })),
  );
}

const UNITS: Readonly<Record<Measure, string>> = { memoryMb: 'memory, MB', openFiles: 'open files' };

/** A line each; what was judged, and how. */
export function soakTable({ rows, samples, done }: SoakResult): string[] {
  const counts = Object.entries(done).map(([name, count]) => `${count} ${name}`);
  const cells = rows.map(({ process, measure, second, last, most, flat }) =>
    [
      process.padEnd(9),
      UNITS[measure].padEnd(12),
      second.toFixed(0).padStart(16),
      last.toFixed(0).padStart(14),
      most.toFixed(0).padStart(8),
      flat ? '  flat' : '  GROWS',
    ].join(''),
  );
  const { memoryMb, openFiles } = TOLERANCE;
  return [
    counts.join(', '),
    `${''.padEnd(21)}${'second quarter'.padStart(16)}${'last quarter'.padStart(14)}${'at most'.padStart(8)}`,
    ...cells,
    `medians of a quarter of ${samples} samples each; the last may be larger by ${memoryMb.share * 100} % and ${memoryMb.plus} MB, or by ${openFiles.plus} files`,
    'the last state restores exactly',
  ];
}

/** ms of `90s`, `30m`, `2h`; `null` for anything else. */
export function parseSoak(text: string): number | null {
  const [, count, unit] = /^([1-9]\d*)(s|m|h)$/.exec(text) ?? [];
  if (count === undefined) return null;
  return Number(count) * { s: SECOND, m: MINUTE, h: 60 * MINUTE }[unit as 's' | 'm' | 'h'];
}

/** Exit code. */
export async function runSoak(text: string, random: Random): Promise<number> {
  const ms = parseSoak(text);
  if (ms === null) {
    console.error('--soak is a duration: 90s, 30m, 2h');
    return 2;
  }
  console.log(`soak: ${text}, seed ${random.seed}`);
  const result = await soak(ms, random);
  for (const line of soakTable(result)) console.log(line);
  return result.rows.every(({ flat }) => flat) ? 0 : 1;
}
