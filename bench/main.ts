/**
 * Holdfast beside Debian's restic and borg: the same tree, the same machine, the same run, page cache warm; medians and
 * ratios. `npm run bench -- --help` says how.
 */
import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { agentToServer, engine } from './ours.ts';
import { findPeers, type Peer } from './peers.ts';
import { rowsOf } from './rows.ts';
import { printTable } from './table.ts';
import { runSide, type Sample, type Side } from './works.ts';

const USAGE = `npm run bench -- --tree DIR [--runs N] [--json FILE] [--work DIR]

  --tree DIR     what to back up; 100,000 files and 2.5 GB tell something
  --runs N       medians of N (default: 3)
  --json FILE    also write the rows as JSON
  --work DIR     where repositories and restored trees go (default: a temporary folder; it is removed)
  --peers LIST   restic,borg (default: those that are installed), or none

Peers: apt-get install restic borgbackup`;

const { values } = parseArgs({
  options: {
    tree: { type: 'string' },
    runs: { type: 'string', default: '3' },
    json: { type: 'string' },
    work: { type: 'string' },
    peers: { type: 'string' },
    help: { type: 'boolean', short: 'h', default: false },
  },
});
const runs = Number(values.runs);
if (values.help || values.tree === undefined || !Number.isInteger(runs) || runs < 1) {
  process.stdout.write(`${USAGE}\n`);
  process.exit(values.help ? 0 : 2);
}
const tree = resolve(values.tree);
const work = values.work === undefined ? mkdtempSync(join(tmpdir(), 'holdfast-bench-')) : resolve(values.work);
mkdirSync(work, { recursive: true });
try {
  await main();
} finally {
  if (values.work === undefined) rmSync(work, { recursive: true, force: true });
}

async function main(): Promise<void> {
  const { peers, missing } = chosenPeers();
  for (const command of missing) process.stdout.write(`Not installed, so not compared: ${command}\n`);
  const sides: Side[] = [
    { name: 'ours-disk', runner: engine(join(work, 'engine')) },
    { name: 'ours-server', runner: agentToServer(join(work, 'tls')) },
    ...peers.map((peer) => ({ name: peer.name, runner: { ...peer, close: async () => {} } })),
  ];
  process.stdout.write(`tree ${tree}; ${peers.map(({ version }) => version).join(', ') || 'no peers'}; ${runs} runs\n`);
  warm(tree);
  const samples = new Map<string, Sample[]>();
  for (let run = 1; run <= runs; run++) {
    for (const side of sides) {
      process.stdout.write(`run ${run} of ${runs}: ${side.name}\n`);
      for (const sample of await runSide(side, tree, join(work, 'restored'))) {
        const key = `${side.name} ${sample.work}`;
        samples.set(key, [...(samples.get(key) ?? []), sample]);
      }
    }
  }
  const rows = rowsOf(
    samples,
    peers.map(({ name }) => name),
  );
  printTable(rows);
  if (values.json !== undefined) writeFileSync(resolve(values.json), `${JSON.stringify(rows, null, 2)}\n`);
}

function chosenPeers(): { peers: Peer[]; missing: string[] } {
  const found = findPeers(join(work, 'peers'));
  if (values.peers === undefined) return found;
  const wanted = values.peers.split(',');
  return { peers: found.peers.filter(({ name }) => wanted.includes(name)), missing: [] };
}

/** Reads everything once, so that no side pays for a cold page cache. */
function warm(path: string): void {
  spawnSync('tar', ['-cf', '/dev/null', path], { stdio: 'ignore' }); // tar skips content for /dev/null itself
  spawnSync('sh', ['-c', 'tar -cf - "$1" 2>/dev/null | cat > /dev/null', 'sh', path], { stdio: 'ignore' });
}
