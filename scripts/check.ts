/**
 * `npm run check`: types, format and lint, awaited promises, then the meta tests in test/meta.
 *
 * `npm run check -- packages/archive` formats and lints only there (types are always checked as a whole).
 * `--fix` lets Biome repair what it can and adds new error codes to docs/errors.md; `--no-meta` leaves the meta tests to the caller.
 */
import { spawn } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { completed, DOCUMENT_PATH, readCodes, readDocument } from '../test/meta/error-codes.ts';

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { fix: { type: 'boolean' }, 'no-meta': { type: 'boolean' } },
});
const paths = positionals.length > 0 ? positionals : ['.'];

interface Step {
  readonly name: string;
  readonly args: readonly string[];
}

const STATIC_STEPS: readonly Step[] = [
  { name: 'types', args: ['node_modules/typescript/bin/tsc'] },
  {
    name: 'format and lint',
    args: [
      'node_modules/@biomejs/biome/bin/biome',
      'check',
      '--error-on-warnings',
      '--no-errors-on-unmatched',
      ...(values.fix ? ['--write'] : []),
      ...paths,
    ],
  },
  { name: 'awaited promises', args: ['node_modules/oxlint/bin/oxlint', '--type-aware', ...paths] },
];

const META: Step = {
  name: 'meta tests',
  args: ['--test', '--test-isolation=none', '--test-reporter=dot', 'test/meta/**/*.test.ts'],
};

/** Runs one step to its end and prints what it said only when it failed. */
function run(step: Step): Promise<boolean> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, step.args, { stdio: ['ignore', 'pipe', 'pipe'] });
    const output: Buffer[] = [];
    child.stdout.on('data', (data: Buffer) => output.push(data));
    child.stderr.on('data', (data: Buffer) => output.push(data));
    child.on('error', reject);
    child.on('close', (code) => {
      console.log(`${code === 0 ? 'ok    ' : 'FAILED'} ${step.name}`);
      if (code !== 0) process.stdout.write(Buffer.concat(output));
      resolve(code === 0);
    });
  });
}

if (values.fix) writeFileSync(DOCUMENT_PATH, completed(readDocument(), await readCodes()));
const results = await Promise.all(STATIC_STEPS.map(run));
if (!values['no-meta']) results.push(await run(META));
if (results.includes(false)) process.exitCode = 1;
