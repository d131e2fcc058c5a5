/**
 * `npm run torture -- [--rounds N] [--seed S] [--only NAME[,NAME]] [--world N] [--jobs N] [--moments TEXT] [--learn] [--keep]`
 * `npm run torture -- --fuzz [--seed S] [--minutes N]`: see fuzz.ts
 * `npm run torture -- --soak DURATION [--seed S]`: see soak.ts
 * `npm run torture -- --model [--seed S] [--days N] [--runs N] [--log]`: see model/model.ts
 *
 * Real processes die, rot and go on; see campaign.ts. Prints its seed, each round and the sum; exit code 1 when a promise was
 * broken. `--world N` repeats one world of a campaign alone, `--keep` leaves the folder of a world that failed, `--moments TEXT`
 * has only the named moments whose name contains it.
 *
 * After the last world of a campaign of 500 rounds or more, named moments that were missed are tried again, and so is each place
 * that a process came to and that stands in no line of faults/places.txt. It fails when nothing died at one of them. `--learn`
 * does the second in any campaign, and writes what it reached to the list.
 */
import { availableParallelism } from 'node:os';
import { parseArgs } from 'node:util';
import { type CampaignEvent, inWorlds, planCampaign, ROUNDS, runWorld, type WorldPlan } from './campaign.ts';
import { learnPlaces, lineOf, type NamedPlace, waysTo } from './faults/named.ts';
import { atPlace, MOMENTS } from './rounds/moments.ts';
import type { Round } from './rounds/round.ts';
import { runSoak } from './soak.ts';
import { Random } from './support/random.ts';
import { Tally } from './support/tally.ts';

if (process.argv.includes('--fuzz')) {
  await import('./fuzz.ts');
  process.exit();
}
if (process.argv.includes('--model')) {
  const { runModels } = await import('./model/command.ts');
  await runModels(process.argv.slice(2));
  process.exit();
}

const { values } = parseArgs({
  options: {
    rounds: { type: 'string', default: '500' },
    seed: { type: 'string', default: Date.now().toString(36) },
    only: { type: 'string' },
    moments: { type: 'string' },
    world: { type: 'string' },
    jobs: { type: 'string', default: String(Math.max(1, Math.min(4, availableParallelism()))) },
    learn: { type: 'boolean', default: false },
    soak: { type: 'string' },
    keep: { type: 'boolean', default: false },
  },
});

if (values.soak !== undefined) process.exit(await runSoak(values.soak, new Random(values.seed)));

const LONG = 500;
const TRIES = 2;

const rounds = whole('rounds', values.rounds);
const kinds = chosen(values.only);
const moments = MOMENTS.filter(({ name }) => values.only === undefined && name.includes(values.moments ?? ''));
const random = new Random(values.seed);
const plans = planCampaign(random, rounds, kinds, moments);
const wanted =
  values.world === undefined ? plans : plans.filter(({ number }) => number === whole('world', values.world));
const sum = new Map<string, { rounds: number; died: number; ms: number }>();
const failures: string[] = [];
const began = performance.now();

console.log(`torture: ${values.rounds} rounds in ${plans.length} worlds, seed ${values.seed}`);
const tally = new Tally();
const isLong = rounds >= LONG && values.world === undefined && values.only === undefined;
const queue = [...wanted];
let worlds = plans.length;
await runQueue();
for (let i = 0; isLong && i < TRIES; i++) await runMore(moments.filter(isMissed));
if (isLong || values.learn) await tryUnlisted();
const found = reached();
if (values.learn) learnPlaces([...found.values()]);
report();
reportMoments();

async function runMore(rounds: readonly Round[]): Promise<void> {
  const more = inWorlds(rounds, worlds + 1);
  worlds += more.length;
  queue.push(...more);
  await runQueue();
}

/** Each in one scenario of its program after the other, until something has died there. */
async function tryUnlisted(): Promise<void> {
  for (let i = 0; ; i++) {
    const before = reached();
    const pending = [...tally.unlisted()].filter(([place]) => !before.has(place));
    const ways = pending.flatMap(([place, scenes]) => waysTo(place, scenes).slice(i, i + 1));
    if (ways.length === 0) return;
    await runMore(ways.map(atPlace));
  }
}

/** Of the places that stand in no line, those at which something has died, and in which scenario. */
function reached(): ReadonlyMap<string, NamedPlace> {
  const found = new Map<string, NamedPlace>();
  for (const [place, scenes] of tally.unlisted()) {
    const way = waysTo(place, scenes).find((each) => tally.hits(lineOf(each)) > 0);
    if (way !== undefined) found.set(place, way);
  }
  return found;
}

async function runQueue(): Promise<void> {
  await Promise.all(Array.from({ length: whole('jobs', values.jobs) }, work));
}

function isMissed({ name }: { readonly name: string }): boolean {
  return tally.hits(name) === 0;
}

async function work(): Promise<void> {
  for (let plan = queue.shift(); plan !== undefined; plan = queue.shift()) {
    const current = plan;
    await runWorld(current, random, (event) => tell(current, event), tally, values.keep);
  }
}

function tell(plan: WorldPlan, event: CampaignEvent): void {
  const place = `world ${plan.number} round ${event.round} ${event.name}`;
  if (event.kind === 'failed') {
    const { error, world } = event;
    const chosenBy = (['only', 'moments'] as const).map((name) => (values[name] ? ` --${name} '${values[name]}'` : ''));
    const again = `npm run torture -- --rounds ${values.rounds} --seed ${values.seed} --world ${plan.number}${chosenBy.join('')}`;
    console.log(
      `${place}: FAILED ${error instanceof Error ? (error.stack ?? error.message) : error}\n  again: ${again}`,
    );
    if (values.keep) console.log(`  kept: ${world.folder}`);
    failures.push(place);
    return;
  }
  console.log(`${place}: ${event.what} (${(event.ms / 1000).toFixed(1)} s)`);
  const kind = event.name.split(':')[0] as string;
  const so = sum.get(kind) ?? { rounds: 0, died: 0, ms: 0 };
  const died = / died|^died/.test(event.what) ? 1 : 0;
  sum.set(kind, { rounds: so.rounds + 1, died: so.died + died, ms: so.ms + event.ms });
}

function report(): void {
  console.log('');
  for (const [name, { rounds, died, ms }] of [...sum].sort(([a], [b]) => (a < b ? -1 : 1))) {
    const deaths = died > 0 ? `, ${died} died in time` : '';
    console.log(
      `${name.padEnd(18)} ${String(rounds).padStart(4)} ok${deaths}, ${(ms / rounds / 1000).toFixed(1)} s each`,
    );
  }
  const minutes = ((performance.now() - began) / 60_000).toFixed(1);
  console.log(`${failures.length} failed, seed ${values.seed}, ${minutes} minutes`);
  for (const failure of failures) console.log(`  ${failure}`);
  if (failures.length > 0) process.exitCode = 1;
}

/** How often each was reached; in long campaigns, what was not is a failure. */
function reportMoments(): void {
  console.log('\nnamed moments, and how often a process died there');
  for (const { name } of moments) console.log(`${String(tally.hits(name)).padStart(5)} ${name}`);
  const missed = moments.filter(isMissed);
  console.log(`${moments.length - missed.length} of ${moments.length} were reached`);
  const unreached = [...tally.unlisted()].filter(([place]) => !found.has(place));
  if (found.size > 0) console.log(values.learn ? 'learned' : 'reached, and not yet in places.txt');
  for (const way of found.values()) console.log(`      ${lineOf(way)}`);
  if (unreached.length > 0) console.log('seen, in no line, and not reached');
  for (const [place, scenes] of unreached) console.log(`      ${place} (seen in ${[...scenes].join(', ')})`);
  if (isLong && missed.length + unreached.length > 0) process.exitCode = 1;
}

function chosen(only: string | undefined): typeof ROUNDS {
  if (only === undefined) return values.moments === undefined ? ROUNDS : [];
  const names = only.split(',');
  const unknown = names.find((name) => !ROUNDS.some((round) => round.name === name));
  if (unknown === undefined) return ROUNDS.filter(({ name }) => names.includes(name));
  console.error(`There is no round "${unknown}"; there are ${ROUNDS.map(({ name }) => name).join(', ')}.`);
  process.exit(2);
}

function whole(name: string, text: string | undefined): number {
  const value = Number(text);
  if (Number.isInteger(value) && value > 0) return value;
  console.error(`--${name} is a whole number from 1 on`);
  process.exit(2);
}
