/**
 * `npm run torture -- --fuzz [--seed S] [--minutes N]`: for a third of the minutes hostile input for every decoder
 * (test/hostile), for the rest every route of a server on SQLite and of one on PostgreSQL, with valid requests that were made
 * wrong. Prints what must not be, and exits with 1 when there is any.
 */
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { startPostgres } from '../../packages/server/src/database/testing/postgres.ts';
import { Attack, type Finding } from '../../packages/server/src/testing/hostile/attack.ts';
import { WAYS } from '../../packages/server/src/testing/hostile/mutate.ts';
import { Random } from './support/random.ts';

const { values } = parseArgs({
  options: {
    fuzz: { type: 'boolean' },
    seed: { type: 'string', default: Date.now().toString(36) },
    minutes: { type: 'string', default: '10' },
  },
});

/** Memory of a process that serves and attacks: what one request may hold, many times over, and no more with time. */
const MOST_MEMORY = 1_500_000_000;

const minutes = Number(values.minutes);
if (!(minutes > 0)) {
  console.error('--minutes is a number above 0');
  process.exit(2);
}
console.log(`fuzz: ${minutes} minutes, seed ${values.seed}`);
const random = new Random(values.seed);
const areDecodersGood = attackDecoders(minutes / 3);
const until = Date.now() + (minutes * 60_000 * 2) / 3;
const postgres = await startPostgres();
const database = { kind: 'postgres', url: await postgres.createDatabase(), schema: 'holdfast' } as const;
const attacks = [
  { name: 'sqlite', attack: await Attack.start(random.fork('sqlite')) },
  { name: 'postgres', attack: await Attack.start(random.fork('postgres'), { database }) },
];
const findings: string[] = [];
let requests = 0;
let most = 0;
while (Date.now() < until) {
  for (const { name, attack } of attacks) {
    const route = random.pick(attack.routes);
    const finding = await attack.once(route, random.pick(Object.keys(WAYS)));
    if (finding !== null) tell(name, finding);
    requests += 1;
  }
  most = Math.max(most, process.memoryUsage().rss);
}
for (const { name, attack } of attacks) {
  if (!(await attack.lives())) findings.push(`${name}: the server does not answer any more`);
  console.log(
    `${name}: ${[...attack.statuses]
      .sort(([a], [b]) => a - b)
      .map(([status, n]) => `${n} x ${status}`)
      .join(', ')}`,
  );
  await attack.close();
}
await postgres.stop();
if (most > MOST_MEMORY) findings.push(`memory grew to ${most} bytes`);
console.log(
  `${requests} requests, ${findings.length} findings, ${Math.round(most / 1e6)} MB of memory at most, seed ${values.seed}`,
);
if (findings.length > 0 || !areDecodersGood) process.exitCode = 1;

/** In a process of its own, with little memory: see there. */
function attackDecoders(minutes: number): boolean {
  const program = fileURLToPath(new URL('../hostile/attack-decoders.ts', import.meta.url));
  const seed = String(random.fork('decoders').below(2 ** 31));
  const options = ['--seed', seed, '--runs', '2000', '--minutes', String(minutes)];
  return (
    spawnSync(process.execPath, ['--max-old-space-size=256', program, ...options], { stdio: 'inherit' }).status === 0
  );
}

function tell(database: string, { what, route, way, request }: Finding): void {
  findings.push(what);
  console.log(`\n${database} ${route}: ${way}\n  ${what}\n  ${request.replaceAll('\n', '\n  ')}`);
}
