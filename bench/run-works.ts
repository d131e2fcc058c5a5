/**
 * Does works as often as they need and gathers their samples; what fails is told and does not keep the others back.
 *
 * Nothing is deleted before a work has ended: ext4 does not give out again what was deleted in the last minutes and looks for other
 * inodes one by one, so that a restore of 125,000 files after a large deletion took 48 s instead of 11 s, and restic's 46 s instead of 19 s.
 */
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { median } from './measure.ts';
import { type Figures, ROW_IDS, type RowId } from './rows.ts';
import { empty } from './sides/side.ts';
import type { Line } from './table.ts';
import type { Bench, Sample, Work } from './work.ts';

export type Runs = Bench & { readonly runs: number };

/** A line for each row that is wanted, in the order of the table. */
export async function runWorks(works: readonly Work[], bench: Runs): Promise<Line[]> {
  const samples: Sample[] = [];
  const failures = new Map<RowId, string>();
  for (const work of works) {
    try {
      samples.push(...(await runsOf(work, bench)));
    } catch (error) {
      bench.say(`${work.name} failed: ${String(error)}`);
      for (const row of work.rows) failures.set(row, String(error));
    } finally {
      rmSync(bench.folder, { recursive: true, force: true });
    }
  }
  return ROW_IDS.filter(bench.wants).flatMap((id): Line[] => {
    const failed = failures.get(id);
    if (failed !== undefined) return [{ id, failed }];
    const own = samples.filter(({ row }) => row === id);
    return own.length === 0 ? [] : [{ id, ...mediansOf(own) }];
  });
}

async function runsOf(work: Work, bench: Runs): Promise<Sample[]> {
  const samples: Sample[] = [];
  const runs = work.repeats ? bench.runs : 1;
  for (let run = 1; run <= runs; run++) {
    const say = (text: string) => bench.say(`${work.name}, run ${run} of ${runs}: ${text}`);
    const folder = join(bench.folder, `${work.name}-${run}`);
    empty(folder);
    samples.push(...(await work.run({ ...bench, folder, say })));
  }
  return samples;
}

function mediansOf(samples: readonly Figures[]): Figures {
  const names = [...new Set(samples.flatMap(({ beside }) => Object.keys(beside)))];
  const of = (name: string) => median(samples.flatMap(({ beside }) => beside[name] ?? []));
  return {
    ours: median(samples.map(({ ours }) => ours)),
    beside: Object.fromEntries(names.map((name) => [name, of(name)])),
  };
}
