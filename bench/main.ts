/**
 * Holdfast beside Debian's restic and borg: the same trees, the same machine, the same run, page cache warm; medians, and what
 * of the goals is reached. `npm run bench -- --help` says how.
 */
import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { availableParallelism, cpus, tmpdir, totalmem } from 'node:os';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { choose } from './choose.ts';
import { ROWS } from './rows.ts';
import { runWorks } from './run-works.ts';
import { findPeers, PEERS, type PeerName } from './sides/peers.ts';
import { documentOf, tableOf } from './table.ts';
import { WORKS } from './works/registry.ts';

const USAGE = `npm run bench -- --tree DIR [--tree DIR] [options]

  --tree DIR     what to back up; together 100,000 files and 2.5 GB tell something
  --only LIST    only these rows or works, by name, separated by commas
  --million      also a million small files: an hour and 20 GB of disk
  --growth       also how cost grows with files, bytes and snapshots: an hour and 60 GB of disk
  --all          everything
  --runs N       medians of N where a work is repeated (default: 3); all of it lies on the disk until the last one ends:
                 six times the trees for each run
  --peers LIST   restic,borg (default: those that are installed), or none
  --scale N      makes the trees that are made N times as large (default: 1, which the goals are meant for)
  --json FILE    also write the rows as JSON
  --results DIR  where figures and plots of --growth go (default: bench/results)
  --work DIR     where stores and restored trees go (default: a temporary folder; what was made is removed)
  --list         show the rows

Begin five minutes after whatever deleted many files: ext4 is slow in making new ones until then, for everybody.
Peers: apt-get install restic borgbackup`;

const OPTIONS = {
  tree: { type: 'string', multiple: true, default: [] as string[] },
  only: { type: 'string', default: '' },
  million: { type: 'boolean', default: false },
  growth: { type: 'boolean', default: false },
  results: { type: 'string', default: join(import.meta.dirname, 'results') },
  all: { type: 'boolean', default: false },
  runs: { type: 'string', default: '3' },
  peers: { type: 'string', default: PEERS.join(',') },
  scale: { type: 'string', default: '1' },
  json: { type: 'string' },
  work: { type: 'string' },
  list: { type: 'boolean', default: false },
  help: { type: 'boolean', short: 'h', default: false },
} as const;

function say(text: string): void {
  process.stdout.write(`${text}\n`);
}

async function main(): Promise<number> {
  const { values } = parseArgs({ options: OPTIONS });
  if (values.help) return tell(USAGE, 0);
  if (values.list) return tell(rowList(), 0);
  const trees = values.tree.map((tree) => resolve(tree));
  const choice = choose(WORKS, { ...values, only: listOf(values.only), hasTree: trees.length > 0 });
  const [runs, scale] = [Number(values.runs), Number(values.scale)];
  if (!Number.isInteger(runs) || runs < 1 || !(scale > 0) || choice.works.length === 0)
    return tell([...choice.refused, USAGE].join('\n'), 2);
  for (const why of choice.refused) say(why);

  const { peers, versions, missing } = findPeers(PEERS.filter((name) => listOf(values.peers).includes(name)));
  for (const command of missing) say(`Not compared: ${command}`);
  const machine = machineText();
  say(`${machine}; ${versions.join(', ') || 'no peers'}; scale ${scale}; ${trees.join(', ') || 'no tree'}`);
  for (const tree of trees) warm(tree);
  const lines = await inWorkFolder(values.work, (work) =>
    runWorks(choice.works, {
      trees,
      peers: peers as readonly PeerName[],
      folder: join(work, 'now'),
      wants: (row) => choice.rows.has(row),
      scale,
      results: resolve(values.results),
      runs,
      say,
    }),
  );
  process.stdout.write(tableOf(lines));
  if (values.json !== undefined) {
    const document = { machine, at: new Date().toISOString(), versions, trees, scale, runs, rows: documentOf(lines) };
    writeFileSync(resolve(values.json), `${JSON.stringify(document, null, 2)}\n`);
  }
  return lines.some((line) => 'failed' in line) ? 1 : 0;
}

function tell(text: string, code: number): number {
  say(text);
  return code;
}

const listOf = (text: string): string[] => text.split(',').filter((name) => name !== '');

const rowList = (): string =>
  WORKS.flatMap(({ name, rows }) => [`${name}:`, ...rows.map((row) => `  ${row.padEnd(18)} ${ROWS[row].what}`)]).join(
    '\n',
  );

const machineText = (): string =>
  `${availableParallelism()} cores (${cpus()[0]?.model ?? 'unknown'}), ${Math.round(totalmem() / 2 ** 30)} GB, Node ${process.version}`;

async function inWorkFolder<T>(given: string | undefined, use: (folder: string) => Promise<T>): Promise<T> {
  if (given !== undefined) {
    mkdirSync(resolve(given), { recursive: true });
    return use(resolve(given));
  }
  const folder = mkdtempSync(join(tmpdir(), 'holdfast-bench-'));
  try {
    return await use(folder);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Reads everything once, so that no side pays for a cold page cache. */
function warm(path: string): void {
  spawnSync('sh', ['-c', 'tar -cf - "$1" 2>/dev/null | cat > /dev/null', 'sh', path], { stdio: 'ignore' });
}

process.exitCode = await main();
