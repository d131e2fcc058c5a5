/**
 * One small file out of the tree, from the server, by the command that a user types. What the agent receives is counted on the
 * line, encrypted as it comes: snapshots, trees and content together.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { environmentOf } from '../../test/torture/faults/faults.ts';
import { smallFilesOf, spread } from '../folders.ts';
import { countingLine } from '../line.ts';
import { median } from '../measure.ts';
import type { AgentToServer } from '../sides/ours.ts';
import { empty } from '../sides/side.ts';
import type { Bench, Sample } from '../work.ts';

/** At even distances through the tree, so that no lucky one stands for all. */
const FILES = 3;

export async function oneFile({ trees, folder }: Bench, side: AgentToServer): Promise<Sample[]> {
  const line = await countingLine(side.ports.https);
  const env = environmentOf({ road: { from: side.ports.https, to: line.port } });
  const seconds: number[] = [];
  const received: number[] = [];
  try {
    for (const path of spread(smallFilesOf(trees), FILES)) {
      const into = join(folder, 'one-file');
      empty(into);
      const before = line.received();
      seconds.push((await side.measured(['restore', path, '--to', into, '--json'], env)).seconds);
      received.push(line.received() - before);
      requireEqual(path, smallFilesOf([into]));
    }
  } finally {
    await line.close();
  }
  return [
    { row: 'one-file-time', ours: median(seconds), beside: {} },
    { row: 'one-file-bytes', ours: Math.max(...received) / 1e6, beside: {} },
  ];
}

function requireEqual(path: string, restored: readonly string[]): void {
  const [only, ...more] = restored;
  if (only === undefined || more.length > 0 || !readFileSync(only).equals(readFileSync(path)))
    throw new Error(`not ${path} came back but ${restored.join(', ') || 'nothing'}`);
}
