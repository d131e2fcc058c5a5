/** `npm run torture -- --model [--seed S] [--days N] [--runs N] [--log]`: see model.ts. Exit code 1 when something broke. */
import { parseArgs } from 'node:util';
import { Model } from './model.ts';

const EVENTS_A_DAY = 100;

/** Runs of one seed each: the seed itself, then `SEED/2`, `SEED/3`, ... */
export async function runModels(args: readonly string[]): Promise<void> {
  const { values } = parseArgs({
    args: [...args],
    options: {
      model: { type: 'boolean' },
      seed: { type: 'string', default: Date.now().toString(36) },
      days: { type: 'string', default: '90' },
      runs: { type: 'string', default: '1' },
      log: { type: 'boolean', default: false },
    },
  });
  const [days, runs] = [whole('days', values.days), whole('runs', values.runs)];
  let broken = 0;
  for (let run = 1; run <= runs; run++) {
    const seed = run === 1 ? values.seed : `${values.seed}/${run}`;
    const began = performance.now();
    const report = await Model.run({
      seed,
      days,
      eventsADay: EVENTS_A_DAY,
      wholeEvery: 2,
      ...(values.log && { onLine: (line: string) => console.log(line) }),
    });
    const seconds = ((performance.now() - began) / 1000).toFixed(0);
    const counts = Object.entries(report.counts).map(([what, count]) => `${count} ${what.replaceAll('_', ' ')}`);
    console.log(`seed ${seed}: ${days} days in ${seconds} s, ${counts.join(', ')}, log ${report.hash.slice(0, 16)}`);
    if (report.broken === null) continue;
    broken += 1;
    console.log(`  BROKEN ${report.broken.stack}`);
    if (report.broken.cause instanceof Error) console.log(`  because ${report.broken.cause.stack}`);
    console.log(`  again: npm run torture -- --model --seed ${seed} --days ${days} --log`);
  }
  console.log(`${runs - broken} of ${runs} runs kept every promise`);
  if (broken > 0) process.exitCode = 1;
}

function whole(name: string, text: string): number {
  const value = Number(text);
  if (Number.isInteger(value) && value > 0) return value;
  console.error(`--${name} is a whole number from 1 on`);
  process.exit(2);
}
