/** Does works as often as they need and gathers their samples; what fails is told and does not keep the others back. */
import { rmSync } from 'node:fs';
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
    const runs = work.repeats ? bench.runs : 1;
    for (let run = 1; run <= runs; run++) {
      const say = (text: string) => bench.say(`${work.name}, run ${run} of ${runs}: ${text}`);
      try {
        empty(bench.folder);
        samples.push(...(await work.run({ ...bench, say })));
      } catch (error) {
        say(`failed: ${String(error)}`);
        for (const row of work.rows) failures.set(row, String(error));
        break;
      } finally {
        rmSync(bench.folder, { recursive: true, force: true });
      }
    }
  }
  return ROW_IDS.filter(bench.wants).flatMap((id): Line[] => {
    const failed = failures.get(id);
    if (failed !== undefined) return [{ id, failed }];
    const own = samples.filter(({ row }) => row === id);
    return own.length === 0 ? [] : [{ id, ...mediansOf(own) }];
  });
}

function mediansOf(samples: readonly Figures[]): Figures {
  const names = [...new Set(samples.flatMap(({ beside }) => Object.keys(beside)))];
  const of = (name: string) => median(samples.flatMap(({ beside }) => beside[name] ?? []));
  return {
    ours: median(samples.map(({ ours }) => ours)),
    beside: Object.fromEntries(names.map((name) => [name, of(name)])),
  };
}
