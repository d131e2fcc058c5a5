/**
 * The main job on embedded defaults: a server, an administrator, this machine as a device. A folder is copied, backed
 * up, changed, backed up again; both snapshots are restored elsewhere and compared with manifests taken before. All of
 * it by the real programs, all of it below the data folder.
 */
import { randomBytes } from 'node:crypto';
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { compareManifests, type Manifest, readManifest } from './manifest.ts';
import { answer, holdfast, holdfastServer, ROOT, type RunningServer, startServer } from './processes.ts';
import { parseArguments, type QuickstartOptions, USAGE } from './quickstart/arguments.ts';
import { preflight } from './quickstart/preflight.ts';
import { bytes, duration, rate, step } from './quickstart/report.ts';
import { changeFolder, copyFolder } from './quickstart/work-folder.ts';

const ADMIN = 'admin';
const SET = 'quickstart';
/** Exit code of the agent (docs/guide/exit-codes.md). */
const NOT_ENROLLED = 4;

type Places = { server: string; agent: string; work: string; restored: string; once: string; password: string };
type Backup = {
  snapshotId: string;
  stats: { files: number; entriesRead: number; bytes: number; bytesStored: number; seconds: number };
  skippedCount: number;
};
type Restored = { done: { bytes: number } };

const DIFFERENCES_SHOWN = 20;

const options = read();
const problems = await preflight(options);
if (problems.length > 0) {
  for (const problem of problems) process.stderr.write(`${problem}\n`);
  process.exit(2);
}
const places: Places = {
  server: join(options.data, 'server'),
  agent: join(options.data, 'agent'),
  work: join(options.data, 'work'),
  restored: join(options.data, 'restored'),
  once: join(options.data, 'one-time-password'),
  password: join(options.data, 'admin-password'),
};
mkdirSync(options.data, { recursive: true, mode: 0o700 });
process.stdout.write(`\nHoldfast quickstart. Everything is written below ${options.data}\n\n`);
const server = await startServer(
  places.server,
  { http: options.httpPort, https: options.httpsPort },
  { flags: ['--address', 'localhost', '--show-words'] },
);
process.stdout.write(server.output());
try {
  await prepare(places);
  const matched = await mainJob(options, places);
  if (options.once) {
    await server.stop();
    process.stdout.write(matched ? '\nEverything matched.\n' : '\nNot everything matched: see above.\n');
    process.exitCode = matched ? 0 : 1;
  } else {
    await serve(server, options, matched);
  }
} catch (error) {
  await server.stop();
  process.stderr.write(`\n${error instanceof Error ? error.message : error}\n`);
  process.exitCode = 1;
}

function read(): QuickstartOptions {
  try {
    const parsed = parseArguments(process.argv.slice(2));
    if (parsed !== 'help') return parsed;
    process.stdout.write(`${USAGE}\n`);
    process.exit(0);
  } catch (error) {
    process.stderr.write(`${error instanceof Error ? error.message : error}\n\n${USAGE}\n`);
    process.exit(2);
  }
}

/** What an earlier run made is used again, wherever that run ended. */
async function prepare(places: Places): Promise<void> {
  const { code } = await holdfast(places.agent, ['status', '--json']);
  if (code === NOT_ENROLLED) {
    await makeAdministrator(places);
    await enrolThisMachine(places);
  }
  const { sets } = answer<{ sets: { name: string }[] }>(await holdfast(places.agent, ['sets', 'list', '--json']));
  if (sets.some(({ name }) => name === SET)) return;
  mkdirSync(places.work, { recursive: true });
  answer(await holdfast(places.agent, ['sets', 'add', SET, places.work, '--no-default-exclude', '--json']));
}

async function makeAdministrator({ server: data, once, password: own }: Places): Promise<void> {
  const created = await holdfastServer(['admin', 'create', ADMIN, '--data', data, '--json']);
  // an earlier run may have ended between making the user and enrolling a device of theirs
  const made = created.code === 0 ? created : await holdfastServer(['admin', 'reset', ADMIN, '--data', data, '--json']);
  const { password } = answer<{ password: string }>(made);
  writeFileSync(once, `${password}\n`, { mode: 0o600 });
  writeFileSync(own, `${randomBytes(12).toString('base64url')}\n`, { mode: 0o600 });
  step('administrator', `user "${ADMIN}", one-time password ${password}`);
}

async function enrolThisMachine({ server: data, agent, once, password }: Places): Promise<void> {
  const { enrolment } = answer<{ enrolment: string }>(await holdfastServer(['enrolment', '--data', data, '--json']));
  const passwords = ['--password-file', once, '--new-password-file', password];
  answer(await holdfast(agent, ['enrol', enrolment, '--user', ADMIN, ...passwords, '--json']));
  rmSync(once);
  step('this machine', `enrolled as a device; from now on the password of "${ADMIN}" is the one in ${password}`);
}

async function mainJob({ folder }: QuickstartOptions, places: Places): Promise<boolean> {
  const from = folder ?? join(ROOT, 'node_modules');
  emptyFolder(places.work);
  copyFolder(from, places.work);
  const owner = process.getuid?.() === 0;
  const first = readManifest(places.work, { owner });
  step('copied', `${first.size.toLocaleString('en')} entries of ${from}`);
  const one = await backUp('first backup', places);
  for (const line of changeFolder(places.work, Date.now())) step('changed', line);
  const second = readManifest(places.work, { owner });
  const two = await backUp('second backup', places);
  emptyFolder(places.restored);
  const earlier = await restoreAndCompare('first snapshot', one, first, places, owner);
  const latest = await restoreAndCompare('latest snapshot', two, second, places, owner);
  return earlier && latest;
}

async function backUp(title: string, { agent }: Places): Promise<string> {
  const ended = await holdfast(agent, ['backup', '--set', SET, '--json']);
  const { snapshotId, stats, skippedCount } = answer<Backup>(ended);
  const { files, entriesRead, bytes: held, bytesStored, seconds } = stats;
  const read = `${files.toLocaleString('en')} files, ${entriesRead.toLocaleString('en')} entries read`;
  step(
    title,
    `${bytes(held)} protected, ${read}, ${bytes(bytesStored)} sent in ${duration(seconds)} (${rate(held, seconds)})`,
  );
  if (skippedCount > 0) throw new Error(`${skippedCount} entries could not be backed up:\n${ended.stdout}`);
  return snapshotId;
}

async function restoreAndCompare(
  title: string,
  snapshot: string,
  expected: Manifest,
  { agent, work, restored }: Places,
  owner: boolean,
): Promise<boolean> {
  const into = join(restored, title.replace(' ', '-'));
  const began = performance.now();
  const ended = await holdfast(agent, ['restore', '--snapshot', snapshot, '--to', into, '--json']);
  const { done } = answer<Restored>(ended);
  const seconds = (performance.now() - began) / 1000;
  // a restore elsewhere keeps the paths below the root of the file system
  const differences = compareManifests(expected, readManifest(join(into, relative('/', work)), { owner }));
  const verdict = differences.length === 0 ? 'equal in every entry' : `${differences.length} DIFFERENCES`;
  step(`${title} back`, `${bytes(done.bytes)} in ${duration(seconds)} (${rate(done.bytes, seconds)}), ${verdict}`);
  for (const { path, fact, expected: want, found } of differences.slice(0, DIFFERENCES_SHOWN)) {
    process.stdout.write(`      ${JSON.stringify(path)}: ${fact} is ${found}, was ${want}\n`);
  }
  return differences.length === 0;
}

async function serve(
  server: RunningServer,
  { httpPort, httpsPort }: QuickstartOptions,
  matched: boolean,
): Promise<void> {
  process.stdout.write(`
${matched ? 'Everything matched.' : 'Not everything matched: see above.'} The server goes on: https://localhost:${httpsPort}, health on http://localhost:${httpPort}/health.
Use the device:  HOLDFAST_HOME=${places.agent} npx holdfast status
Stop with Ctrl-C; the next run reuses what is there.
`);
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => void server.stop());
  const { code } = await server.ended;
  process.exitCode = matched && code === 0 ? 0 : 1;
}

function emptyFolder(path: string): void {
  rmSync(path, { recursive: true, force: true });
  mkdirSync(path, { recursive: true });
}
