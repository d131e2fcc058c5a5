/** The works that every side does in the same order: back up, back up again with nothing changed, restore into an empty folder. */
import { lstatSync, mkdirSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import type { Measured } from './measure.ts';

export type Work = 'first-backup' | 'no-change' | 'restore';
export type Sample = {
  work: Work;
  seconds: number;
  rss: number /** Of the repository afterwards. */;
  bytes: number;
  serverRss: number;
};
export type Runner = {
  reset(): Promise<void>;
  backup(tree: string): Promise<Measured & { serverRss?: number }>;
  restore(into: string): Promise<Measured & { serverRss?: number }>;
  repository: string;
  close(): Promise<void>;
};
export type Side = { name: string; runner: Runner };

export async function runSide({ runner }: Side, tree: string, restored: string): Promise<Sample[]> {
  const samples: Sample[] = [];
  const take = async (work: Work, measured: Promise<Measured & { serverRss?: number }>): Promise<void> => {
    const { seconds, rss, serverRss = 0 } = await measured;
    samples.push({ work, seconds, rss, serverRss, bytes: sizeOf(runner.repository) });
  };
  await runner.reset();
  try {
    await take('first-backup', runner.backup(tree));
    await take('no-change', runner.backup(tree));
    rmSync(restored, { recursive: true, force: true });
    mkdirSync(restored, { recursive: true });
    await take('restore', runner.restore(restored));
  } finally {
    await runner.close();
    rmSync(restored, { recursive: true, force: true });
  }
  return samples;
}

function sizeOf(folder: string): number {
  let total = 0;
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    const path = join(folder, entry.name);
    total += entry.isDirectory() ? sizeOf(path) : lstatSync(path).size;
  }
  return total;
}
