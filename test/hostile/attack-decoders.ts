/**
 * Hands hostile input to every decoder of the registry. Each answer must be a value or a refusal with a code, and must not
 * take memory that the input has not paid for.
 *
 *     node --max-old-space-size=256 test/hostile/attack-decoders.ts [--seed N] [--runs N] [--only TEXT] [--minutes N]
 *
 * A process of its own, so that its memory is bounded and a decoder that never ends can be ended. Prints what it is at, then
 * what must not be; exit code 1 when there is any.
 */
import { isDeepStrictEqual, parseArgs } from 'node:util';
import { mutated } from '@holdfast/archive/format/testing/arbitrary.ts';
import fc from 'fast-check';
import { type Decoder, isRefusal } from './decoder.ts';
import { DECODERS } from './decoders.ts';

/** What a decoder may allocate for a few bytes: a chunk is 8 MiB at most (format §3.2), and is held twice while it is opened. */
const MOST_ALLOCATED = 32 * 1024 * 1024;

/** Of this process, ms, for one input: what is told to take longer takes time that grows faster than the input. */
const MOST_CPU_MS = 2000;

const { values } = parseArgs({
  options: {
    seed: { type: 'string', default: String(Date.now() % 2 ** 31) },
    runs: { type: 'string', default: '200' },
    only: { type: 'string', default: '' },
    minutes: { type: 'string' },
  },
});

/** Few bytes that announce much: billions of items or bytes in CBOR, of rows or ids in the tables, nesting without end. */
const LIES: readonly Uint8Array[] = [
  ...['9affffffff', 'baffffffff', '5bffffffff00000000', '7affffffff', '5b0000000280000000'].map((hex) =>
    Uint8Array.fromHex(hex),
  ),
  ...[0x81, 0xa1, 0xd8, 0x5b, 0x7b].map((byte) => new Uint8Array(200_000).fill(byte)),
  ...['[', '{"a":', '"', '1', ' ', '\n', '-'].map((text) => Buffer.from(text.repeat(100_000))),
  new Uint8Array(300).fill(0xff),
  new Uint8Array(300).fill(0x7f),
];

async function tried(decoder: Decoder, bytes: Uint8Array): Promise<void> {
  const before = process.memoryUsage().arrayBuffers;
  const began = process.cpuUsage();
  let answer: unknown;
  try {
    answer = decoder.decode(bytes);
    // What it took at once; a promise is only a beginning
    if (answer instanceof Promise) answer = await answer;
  } catch (error) {
    if (!isRefusal(error)) throw new Error('no refusal with a code', { cause: error });
  }
  const { user, system } = process.cpuUsage(began);
  const ms = Math.round((user + system) / 1000);
  if (ms > MOST_CPU_MS) throw new Error(`${ms} ms of CPU for ${bytes.length} bytes`);
  const allocated = process.memoryUsage().arrayBuffers - before;
  if (allocated > MOST_ALLOCATED + 4 * bytes.length) throw new Error(`${allocated} bytes for ${bytes.length}`);
}

async function refused(decoder: Decoder, lie: Uint8Array): Promise<void> {
  let isTaken = false;
  const decode = async (bytes: Uint8Array) => {
    await decoder.decode(bytes);
    isTaken = true;
  };
  await tried({ ...decoder, decode }, lie);
  if (isTaken) throw new Error('it was accepted');
}

async function accepts(decoder: Decoder, golden: Uint8Array): Promise<void> {
  const value = await decoder.decode(golden);
  if (!isDeepStrictEqual(await decoder.decode(golden), value) && !isOneUse(value))
    throw new Error('decodes to another value');
  if (decoder.encode === undefined) return;
  const again = decoder.encode(value as never);
  if (Buffer.compare(again, golden) !== 0) throw new Error('is another when it is written again');
}

/** Keys of the system compare by identity. */
const isOneUse = (value: unknown): boolean => JSON.stringify(value)?.includes('"key"') === true;

async function attack(decoder: Decoder, seed: number, runs: number): Promise<string[]> {
  const findings: string[] = [];
  const found = (what: string) => findings.push(`${decoder.name}: ${what}`);
  for (const [i, golden] of decoder.golden.entries())
    await accepts(decoder, golden).catch((error: unknown) => found(`golden input ${i} ${describe(error)}`));
  for (const [i, lie] of LIES.entries())
    await tried(decoder, lie).catch((error: unknown) => found(`lie ${i}: ${describe(error)}`));
  for (const [i, lie] of (decoder.lies ?? []).entries())
    await refused(decoder, lie).catch((error: unknown) => found(`its lie ${i}: ${describe(error)}`));
  const inputs = [fc.uint8Array({ maxLength: 200 }), ...decoder.golden.map(mutated)];
  const numRuns = Math.max(5, Math.ceil(runs / (decoder.weight ?? 1) / inputs.length));
  for (const input of inputs) {
    const property = fc.asyncProperty(input, (bytes) => tried(decoder, bytes));
    const result = await fc.check(property, { seed, numRuns, endOnFailure: true });
    if (!result.failed) continue;
    const [bytes = new Uint8Array(0)] = result.counterexample ?? [];
    found(`${describe(result.errorInstance)}\n    input ${Buffer.from(bytes).toString('hex')}`);
  }
  return findings;
}

function describe(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return error.cause === undefined ? `${error.message}` : `${error.message}: ${(error.cause as Error).stack}`;
}

const chosen = DECODERS.filter(({ name }) => name.includes(values.only));
const until = values.minutes === undefined ? 0 : Date.now() + Number(values.minutes) * 60_000;
console.log(`${chosen.length} decoders, seed ${values.seed}`);
let seed = Number(values.seed);
let findings = 0;
do {
  for (const decoder of chosen) {
    console.log(`  ${decoder.name}`);
    for (const finding of await attack(decoder, seed, Number(values.runs))) {
      findings += 1;
      console.log(`FINDING with seed ${seed}: ${finding}`);
    }
  }
  seed += 1;
} while (Date.now() < until);
console.log(`${findings} findings, ${Math.round(process.resourceUsage().maxRSS / 1024)} MB of memory at most`);
if (findings > 0) process.exitCode = 1;
