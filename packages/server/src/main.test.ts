import assert from 'node:assert/strict';
import { cpSync, mkdirSync, mkdtempSync, readdirSync, rmSync, statSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, type TestContext, test } from 'node:test';
import { parseEnrolment } from '@holdfast/protocol/enrolment-string.ts';
import { run, type Served, serveProgram } from './testing/program.ts';

const directory = mkdtempSync(join(tmpdir(), 'holdfast-program-'));
after(() => rmSync(directory, { recursive: true, force: true }));
const data = join(directory, 'data');

const startAt = (t: TestContext, dataDir: string): Promise<Served> =>
  serveProgram(t, [
    '--data',
    dataDir,
    '--http-port',
    '0',
    '--https-port',
    '0',
    '--address',
    'localhost',
    '--listen',
    '127.0.0.1',
    '--show-words',
  ]);
const json = async (args: readonly string[], input?: string) => {
  const { code, stdout, stderr } = await run([...args, '--json'], input);
  assert.equal(code, 0, stderr);
  return JSON.parse(stdout) as Record<string, string>;
};
const httpPortOf = ({ lines }: Served) =>
  lines.map((line) => /HTTP on (\d+)/.exec(line)?.[1]).find((p) => p !== undefined);
const warningsOf = async (server: Served) => {
  const reply = await fetch(`http://127.0.0.1:${httpPortOf(server)}/health`);
  return ((await reply.json()) as { warnings: string[] }).warnings;
};
const wordsIn = (lines: readonly string[]) => lines.filter((line) => /^ {4} ?\d/.test(line)).join('\n');

test('from the first start to a recovery, with nothing but the program', async (t) => {
  assert.match((await run(['enrolment', '--data', data])).stderr, /^keystore_missing/);
  const server = await startAt(t, data);
  const words = wordsIn(server.lines);
  assert.equal(words.match(/[a-z]+/g)?.length, 12);

  const { enrolment = '' } = await json(['enrolment', '--data', data]);
  const { host, port } = parseEnrolment(enrolment);
  assert.equal(host, 'localhost');
  assert.ok(server.lines.some((line) => line.includes(`https://localhost:${port}`)));

  const admin = await json(['admin', 'create', 'root', '--data', data]);
  assert.equal(admin.username, 'root');
  const again = await run(['admin', 'create', 'ROOT', '--data', data]);
  assert.deepEqual([again.code, again.stderr.split(':')[0]], [1, 'username_taken']);
  const reset = await json(['admin', 'reset', 'root', '--data', data]);
  assert.notEqual(reset.password, admin.password);
  await json(['user', 'create', 'ada@example.org', '--data', data]);
  const set = (password: string) => run(['user', 'password', 'ada@example.org', '--data', data], `${password}\n`);
  assert.match((await set('short')).stderr, /^password_too_weak/);
  assert.match((await set('a password of her own')).stdout, /^The password of ada@example\.org is set\.$/m);
  assert.match((await run(['user', 'password', 'nobody', '--data', data], 'x')).stderr, /^user_missing/);
  assert.match((await run(['user', 'list', '--data', data])).stdout, /ada@example\.org .*desktop-user/);
  assert.match((await run(['device', 'revoke', '123', '--data', data])).stderr, /^device_missing/);

  const second = await run(['start', '--data', data, '--http-port', '0', '--https-port', '0']);
  assert.match(second.stderr, /data_in_use/);

  assert.match((await run(['kit', 'confirm', '--data', data], 'not the words')).stderr, /^kit_wrong_words/);
  await json(['kit', 'confirm', '--data', data], words);
  const { dump = '' } = await json(['dump', '--data', data]);
  assert.equal(await server.stop(), 0);

  // The machine is lost: what is left is the kit, a dump and the words
  const kit = join(directory, 'kit.age');
  const wordsFile = join(directory, 'words');
  cpSync(join(data, 'recovery-kit.age'), kit);
  cpSync(dump, join(directory, 'dump.age'));
  writeFileSync(wordsFile, words);
  rmSync(data, { recursive: true });
  const elsewhere = join(directory, 'elsewhere');
  const recovery = ['recover', '--kit', kit, '--dump', join(directory, 'dump.age'), '--data', elsewhere];
  await json([...recovery, '--words', wordsFile]);
  const recovered = await startAt(t, elsewhere);
  assert.equal(wordsIn(recovered.lines), '', 'the kit is still the old one');
  const { enrolment: line = '' } = await json(['enrolment', '--data', elsewhere]);
  assert.equal(parseEnrolment(line).caFingerprint, parseEnrolment(enrolment).caFingerprint);
  assert.equal(parseEnrolment(line).registrationKey, parseEnrolment(enrolment).registrationKey);
  assert.equal((await json(['audit', 'verify', '--data', elsewhere])).entries !== undefined, true);
  assert.deepEqual(await warningsOf(recovered), ['maintenance_held']);
  assert.match((await run(['maintain', 'retention', '--data', elsewhere])).stderr, /^maintenance_held/);
  assert.match((await run(['maintain', '--enable', '--data', elsewhere])).stdout, / 0 failed, 0 alerts/);
  assert.deepEqual(await warningsOf(recovered), []);
  assert.equal(await recovered.stop('SIGINT'), 0);
});

test('what the server writes is for its own user', { skip: process.platform === 'win32' }, async (t) => {
  const dataDir = join(directory, 'private');
  const server = await startAt(t, dataDir);
  for (const name of ['.', 'authority.db', 'keystore', 'keystore/ca.key', 'recovery-kit.age']) {
    assert.equal(statSync(join(dataDir, name)).mode & 0o077, 0, name);
  }
  assert.equal(await server.stop(), 0);
});

test('a start removes what a server that was killed was writing', async (t) => {
  const dataDir = join(directory, 'killed');
  const tmp = join(dataDir, 'store/tmp');
  const first = await startAt(t, dataDir);
  assert.equal(await first.stop('SIGKILL'), null);
  writeFileSync(join(tmp, 'half a pack'), 'HFPACK');
  utimesSync(join(tmp, 'half a pack'), 1_600_000_000, 1_600_000_000);
  mkdirSync(join(dataDir, '.keystore.0123456789ab.tmp'));
  writeFileSync(join(dataDir, '.keystore.0123456789ab.tmp/ca.key'), 'half a key');
  writeFileSync(join(dataDir, 'keystore/.tls.pem.0123456789ab.tmp'), 'half a certificate');
  const again = await startAt(t, dataDir);
  assert.deepEqual(readdirSync(tmp), []);
  const everything = readdirSync(dataDir, { recursive: true, encoding: 'utf8' });
  assert.deepEqual(
    everything.filter((name) => name.endsWith('.tmp')),
    [],
  );
  assert.equal(await again.stop(), 0);
});

test('a port in use and a wrong setting are told as advice', async (t) => {
  const server = await startAt(t, join(directory, 'first'));
  const port = httpPortOf(server) ?? '';
  const other = ['start', '--data', join(directory, 'second'), '--listen', '127.0.0.1', '--https-port', '0'];
  const taken = await run([...other, '--http-port', port]);
  assert.deepEqual([taken.code, /port_in_use/.test(taken.stderr)], [1, true], taken.stderr);
  const wrong = await run(['start', '--port-base', 'many']);
  assert.deepEqual([wrong.code, /^config_invalid/.test(wrong.stderr)], [1, true], wrong.stderr);
  assert.equal(await server.stop(), 0);
});

test('without a terminal no words are shown, and the server says how to get a kit', async (t) => {
  const dataDir = join(directory, 'quiet');
  const server = await serveProgram(t, ['--data', dataDir, '--http-port', '0', '--https-port', '0']);
  assert.equal(wordsIn(server.lines), '');
  assert.match((await run(['dump', '--data', dataDir])).stderr, /^kit_missing/);
  const made = await run(['kit', 'new', '--data', dataDir]);
  assert.equal(made.code, 0, made.stderr);
  const unconfirmed = await run(['kit', 'new', '--data', dataDir]);
  assert.equal(unconfirmed.code, 0, 'nobody has proved to keep the first one');
  await json(['kit', 'confirm', '--data', dataDir], wordsIn(unconfirmed.stdout.split('\n')));
  await json(['dump', '--data', dataDir]);
  const refused = await run(['kit', 'new', '--data', dataDir]);
  assert.match(refused.stderr, /^kit_confirmed: .*--replace/s);
  assert.equal(wordsIn(refused.stdout.split('\n')), '');
  const replaced = await run(['kit', 'new', '--replace', '--data', dataDir]);
  assert.notEqual(wordsIn(replaced.stdout.split('\n')), '');
  assert.equal(await server.stop(), 0);
});
