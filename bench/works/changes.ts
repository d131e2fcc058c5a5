/**
 * A few changes among many files with the service running and its watcher on, server and service as a user runs them: from the
 * moment somebody asks for a version to the snapshot that the server acknowledged.
 *
 * The watcher is believed only as far as it is right: after each version a walk of everything must find nothing that it missed.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout } from 'node:timers/promises';
import { readConfig } from '../../packages/agent/src/config.ts';
import { callDaemon } from '../../packages/agent/src/daemon/control.ts';
import type { RunReport } from '../../packages/agent/src/daemon/run-report.ts';
import { describeHome } from '../../packages/agent/src/state/home.ts';
import { HOLDFAST } from '../../scripts/processes.ts';
import { Random } from '../../test/torture/support/random.ts';
import { makeSmallFiles, Words } from '../made-tree.ts';
import { lastJson, median } from '../measure.ts';
import { AgentToServer } from '../sides/ours.ts';
import { type Bench, type Sample, scaled, type Work } from '../work.ts';

const FILES = { files: 80_000, perFolder: 20, min: 100, max: 8_000 };
const CHANGES = 60;
/** Of each kind; medians. */
const ROUNDS = 5;
/** The system tells of changes a little after they were made, and to nobody but the watcher. */
const NOTICED_MS = 1000;

export const changes: Work = {
  name: 'changes',
  rows: ['changes', 'changes-service'],
  needsTree: false,
  repeats: false,
  onlyFor: null,
  async run(bench) {
    const side = new AgentToServer(join(bench.folder, 'tls'));
    const tree = join(bench.folder, 'tree');
    const files = makeSmallFiles(tree, { ...FILES, files: scaled(bench, FILES.files, CHANGES) });
    await side.reset();
    await side.addSet([tree]);
    const service = await startService(side);
    try {
      return await timed(bench, side, files);
    } finally {
      await service.stop();
      await side.close();
    }
  },
};

async function timed(bench: Bench, side: AgentToServer, files: string[]): Promise<Sample[]> {
  const words = new Words(new Random('changes'));
  const rounds = scaled(bench, ROUNDS);
  const byCommand: number[] = [];
  const byService: number[] = [];
  for (let round = 1; round <= rounds; round++) {
    bench.say(`version ${2 * round - 1} and ${2 * round} of ${2 * rounds}`);
    await change(files, words);
    const command = await side.measured(['backup', '--set', 'bench', '--json']);
    byCommand.push(command.seconds);
    await requireComplete(side, lastJson<RunReport>(command));
    await change(files, words);
    const { seconds, report } = await askService(side);
    byService.push(seconds);
    await requireComplete(side, report);
  }
  return [
    { row: 'changes', ours: median(byCommand), beside: {} },
    { row: 'changes-service', ours: median(byService), beside: {} },
  ];
}

/** Most are written anew; some go, and as many come in their folders. */
async function change(files: string[], words: Words): Promise<void> {
  for (let n = 0; n < CHANGES; n++) {
    const at = Math.floor(((n + 0.5) * files.length) / CHANGES);
    const path = files[at] as string;
    const isReplaced = n % 6 === 0;
    const next = isReplaced ? `${path}+` : path;
    if (isReplaced) rmSync(path);
    writeFileSync(next, words.next(FILES.min, FILES.max));
    files[at] = next;
  }
  await setTimeout(NOTICED_MS);
}

async function askService(side: AgentToServer): Promise<{ seconds: number; report: RunReport }> {
  const { sets } = await side.onDevice<{ sets: { id: string }[] }>('sets', 'list');
  const home = describeHome(readConfig({ ...process.env, HOLDFAST_HOME: side.home }));
  const request = { do: 'backup', sets: sets.map(({ id }) => id), allFolders: false, gentle: false } as const;
  const began = performance.now();
  const answer = await callDaemon(home, request);
  const seconds = (performance.now() - began) / 1000;
  const [report] = (answer?.result ?? []) as RunReport[];
  if (report === undefined) throw new Error('the service does not run');
  return { seconds, report };
}

async function requireComplete(side: AgentToServer, { kind, stats }: RunReport): Promise<void> {
  if (kind !== 'committed') throw new Error('no version was made of the changes');
  const walked = await side.onDevice<RunReport>('backup', '--set', 'bench', '--all-folders');
  if (walked.kind !== 'current') throw new Error(`the watcher missed changes: ${stats.entriesRead} entries were read`);
}

/** `holdfast run`, from when it watches and has made its first version. */
async function startService(side: AgentToServer): Promise<{ stop(): Promise<void> }> {
  const child = spawn(process.execPath, [HOLDFAST, 'run', '--json'], {
    env: { ...process.env, HOLDFAST_HOME: side.home },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const ended = once(child, 'close');
  const lines = createInterface({ input: child.stdout });
  const wanted = new Set(['watching', 'done']);
  const said: string[] = [];
  for await (const line of lines) {
    said.push(line);
    const { event, state } = JSON.parse(line) as { event: string; state?: string };
    wanted.delete(event === 'watch' ? (state ?? '') : event);
    if (wanted.size === 0) break;
  }
  if (wanted.size > 0) throw new Error(`the service ended: ${said.slice(-5).join(' ')}`);
  child.stdout.resume();
  return {
    async stop() {
      child.kill('SIGTERM');
      await ended;
    },
  };
}
