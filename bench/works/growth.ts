/**
 * How cost grows: with the number of files, with bytes, with snapshots; agent to server over TLS. Figures go to
 * `growth.json`, a plot of each axis beside it; the rows say how far the worst point is off a straight line.
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Random } from '../../test/torture/support/random.ts';
import { straightLine } from '../fit.ts';
import { sizeOf } from '../folders.ts';
import { makeLargeFile, makeSmallFiles, Words } from '../made-tree.ts';
import { plot, type Series } from '../plot.ts';
import type { RowId } from '../rows.ts';
import { AgentToServer, type WithServer } from '../sides/ours.ts';
import { type Bench, type Sample, scaled, type Work } from '../work.ts';
import { peak, type Turn, turnOf } from './three-works.ts';

const FILES = [10_000, 30_000, 100_000, 300_000, 1_000_000];
const GIGABYTES = [1, 3, 10];
const SNAPSHOTS = [1, 3, 10, 30, 100];
const SMALL = { perFolder: 1000, min: 100, max: 2000 };
/** Of the axis of snapshots: so many files, of which a hundredth changes from one to the next. */
const CHANGING = 10_000;

type Cost = Readonly<Record<string, { readonly unit: string; readonly value: number }>>;
type Axis = {
  readonly row: Extract<RowId, `growth-${string}`>;
  readonly x: string;
  measure(bench: Bench): Promise<{ readonly x: number; readonly cost: Cost }[]>;
};

const AXES: readonly Axis[] = [
  { row: 'growth-files', x: 'files', measure: byFiles },
  { row: 'growth-bytes', x: 'GB', measure: byBytes },
  { row: 'growth-snapshots', x: 'snapshots', measure: bySnapshots },
];

export const growth: Work = {
  name: 'growth',
  rows: AXES.map(({ row }) => row),
  needsTree: false,
  repeats: false,
  onlyFor: 'growth',
  async run(bench) {
    const samples: Sample[] = [];
    for (const axis of AXES.filter(({ row }) => bench.wants(row))) {
      const series = seriesOf(await axis.measure(bench));
      keep(bench, axis, series);
      const worst = Math.max(...series.map(({ points }) => straightLine(points).worst));
      samples.push({ row: axis.row, ours: worst * 100, beside: {} });
    }
    return samples;
  },
};

function seriesOf(measured: readonly { readonly x: number; readonly cost: Cost }[]): Series[] {
  const names = Object.keys(measured[0]?.cost ?? {});
  return names.map((name) => ({
    name,
    unit: measured[0]?.cost[name]?.unit ?? '',
    points: measured.map(({ x, cost }) => ({ x, y: cost[name]?.value ?? 0 })),
  }));
}

function keep({ results, scale }: Bench, { row, x }: Axis, series: readonly Series[]): void {
  mkdirSync(results, { recursive: true });
  const fitted = series.map((each) => ({ ...each, line: straightLine(each.points) }));
  const document = { x, scale, at: new Date().toISOString(), series: fitted };
  writeFileSync(join(results, `${row}.json`), `${JSON.stringify(document, null, 2)}\n`);
  writeFileSync(join(results, `${row}.svg`), plot({ title: `Cost by ${x}, agent to server`, x, series }));
}

async function byFiles(bench: Bench) {
  const measured = [];
  for (const full of FILES) {
    const files = scaled(bench, full);
    const cost = await costOf(bench, `${files} files`, (tree) => makeSmallFiles(tree, { ...SMALL, files }));
    measured.push({ x: files, cost });
  }
  return measured;
}

async function byBytes(bench: Bench) {
  const measured = [];
  for (const gigabytes of GIGABYTES) {
    const cost = await costOf(bench, `${gigabytes} GB`, (tree) => {
      for (let n = 0; n < gigabytes; n++) makeLargeFile(join(tree, `file ${n}`), scaled(bench, 1e9), `file ${n}`);
    });
    measured.push({ x: gigabytes * bench.scale, cost });
  }
  return measured;
}

async function costOf(bench: Bench, what: string, make: (tree: string) => void): Promise<Cost> {
  bench.say(what);
  const folder = join(bench.folder, what);
  const tree = join(folder, 'tree');
  make(tree);
  const turn = (await turnOf(new AgentToServer(join(folder, 'tls')), [tree], folder)) as Turn<WithServer>;
  return {
    'first backup': { unit: 's', value: turn.first.seconds },
    'nothing changed': { unit: 's', value: turn.noChange.seconds },
    restore: { unit: 's', value: turn.restore.seconds },
    'memory of the agent': { unit: 'MB', value: peak(turn, ({ rss }) => rss) },
    'memory of the server': { unit: 'MB', value: peak(turn, ({ serverRss }) => serverRss) },
    stored: { unit: 'MB', value: turn.stored / 1e6 },
  };
}

/** One archive all the way: what the next backup, a look at the list and a restore of the newest cost when so many are there. */
async function bySnapshots(bench: Bench) {
  const tree = join(bench.folder, 'snapshots');
  const files = makeSmallFiles(tree, { ...SMALL, files: scaled(bench, CHANGING, 100) });
  const words = new Words(new Random('snapshots'));
  const side = new AgentToServer(join(bench.folder, 'tls'));
  await side.reset();
  try {
    const measured = [];
    let made = 0;
    for (const snapshots of SNAPSHOTS) {
      bench.say(`${snapshots} snapshots`);
      for (; made < snapshots; made++) {
        changeSome(files, words, made);
        await side.backup([tree]);
      }
      measured.push({ x: snapshots, cost: await costNow(side, tree, join(bench.folder, `restored of ${snapshots}`)) });
    }
    return measured;
  } finally {
    await side.close();
  }
}

async function costNow(side: AgentToServer, tree: string, into: string): Promise<Cost> {
  const noChange = await side.backup([tree]);
  const list = await side.measured(['snapshots', '--json']);
  const restore = await side.restore(into);
  return {
    'nothing changed': { unit: 's', value: noChange.seconds },
    'list of snapshots': { unit: 's', value: list.seconds },
    'restore of the newest': { unit: 's', value: restore.seconds },
    'memory of the agent': { unit: 'MB', value: Math.max(noChange.rss, restore.rss) / 1e6 },
    stored: { unit: 'MB', value: sizeOf(side.repository) / 1e6 },
  };
}

function changeSome(files: readonly string[], words: Words, round: number): void {
  for (let at = round % 100; at < files.length; at += 100)
    writeFileSync(files[at] as string, words.next(SMALL.min, SMALL.max));
}
