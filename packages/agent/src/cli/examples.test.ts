import assert from 'node:assert/strict';
import { copyFileSync, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { startTestServer } from '@holdfast/server/testing/test-server.ts';
import { runLine, type Shell } from '../testing/run-line.ts';
import { temporary } from '../testing/temporary.ts';
import type { CommandSpec } from './command.ts';
import { EXIT } from './exit-codes.ts';
import { SPECS } from './program.ts';

const HOUR = 3_600_000;

/** The order in which a person would come across the commands; every one with an example is in it. */
const ORDER = [
  'enrol',
  'sets add',
  'sets',
  'sets edit',
  'sets list',
  'config',
  'config list',
  'config get',
  'config set',
  'service',
  'service show',
  'service install',
  'service uninstall',
  'backup',
  '(a day later)',
  'run',
  'pause',
  'resume',
  'status',
  'snapshots',
  'ls',
  'find',
  'key export',
  'restore',
  'check',
  'key show',
  'key recover',
  'password',
  '(the new password)',
  'key request',
  'key set-password',
  'key renew',
  '(a new device asks)',
  'key add-device',
  '(custom key)',
  'sets remove',
];

function examplesOf(specs: readonly CommandSpec[], parents = ''): Map<string, readonly string[]> {
  return new Map(
    specs.flatMap((spec) => {
      const name = `${parents}${spec.name}`;
      const own: [string, readonly string[]][] = [[name, (spec.examples ?? []).map(({ line }) => line)]];
      return [...own, ...examplesOf(spec.commands ?? [], `${name} `)].filter(([, lines]) => lines.length > 0);
    }),
  );
}

describe('the examples under --help', () => {
  const examples = examplesOf(SPECS);

  it('are there for every command that a script may run', () => {
    const named = ORDER.filter((step) => !step.startsWith('('));
    assert.deepEqual([...examples.keys()].sort(), [...named].sort());
  });

  it('work as they stand, one after the other', async (t) => {
    let now = Date.now() - 50 * HOUR;
    const server = await startTestServer({ now: () => now });
    t.after(() => server.close());
    const dir = temporary(t);
    const [userHome, cwd] = [join(dir, 'ada'), join(dir, 'here')];
    for (const folder of ['Documents', 'work', 'Pictures']) mkdirSync(join(userHome, folder), { recursive: true });
    mkdirSync(cwd);
    writeFileSync(join(userHome, 'Documents/letter.txt'), 'Dear Bob');
    writeFileSync(join(userHome, 'Documents/old.txt'), 'gone soon');
    writeFileSync(join(userHome, 'work/main.c'), 'int main;');
    const { password } = await server.addUser('ada');
    writeFileSync(join(cwd, 'password.txt'), `${password}\n`);
    writeFileSync(join(cwd, 'new-password.txt'), 'a password of her own\n');
    writeFileSync(join(cwd, 'archive-password.txt'), 'correct horse battery staple\n');
    const env: Record<string, string> = { ENROLMENT: await server.server.enrolmentString() };
    const shell: Shell = { home: join(dir, 'state'), userHome, cwd, env, now: () => now };
    const store = join(server.config.dataDir, 'store');
    const ran = new Set<string>();

    // A stand-in for the system's program writes down what it is asked for: a test installs nothing
    const systemctl = join(dir, 'bin/systemctl');
    const [calls, path] = [join(dir, 'calls'), process.env['PATH']];
    mkdirSync(join(dir, 'bin'));
    writeFileSync(systemctl, `#!/bin/sh\necho "$*" >> "${calls}"\n`, { mode: 0o755 });
    t.after(() => {
      process.env['PATH'] = path;
    });

    const run = async (line: string) => {
      const { code, stdout, stderr } = await runLine(shell, line.replace('/mnt/store', store));
      assert.equal(code, 0, `${line}\n${stdout}${stderr}`);
      if (line.includes('--json')) for (const text of stdout.trim().split('\n')) JSON.parse(text);
      else assert.notEqual(stdout.trim(), '', `${line} says nothing`);
      ran.add(line.replace(' --kind systemd', ''));
      return stdout;
    };

    for (const step of ORDER) {
      if (step === '(a day later)') {
        now += 49 * HOUR;
        rmSync(join(userHome, 'Documents/old.txt'));
        await run('holdfast backup');
        now += HOUR;
      } else if (step === '(the new password)') {
        copyFileSync(join(cwd, 'new-password.txt'), join(cwd, 'password.txt'));
      } else if (step === '(a new device asks)') {
        const young = { ...shell, home: join(dir, 'young') };
        const enrolled = await runLine(young, examples.get('enrol')?.[0] ?? '');
        assert.equal(enrolled.code, EXIT.keyNeeded, enrolled.stderr);
        const asked = JSON.parse(
          (await runLine(young, 'holdfast key request --json')).stdout.trim().split('\n').at(-1)!,
        );
        env['WORDS'] = asked.error.data.words;
      } else if (step === '(custom key)') {
        await run('holdfast key export only.key --password-file password.txt');
      } else {
        const isInstalling = /^service (un)?install$/.test(step);
        process.env['PATH'] = isInstalling ? `${join(dir, 'bin')}:${path}` : path;
        for (const line of examples.get(step) ?? []) {
          if (!line.includes('only.key')) await run(isInstalling ? `${line} --kind systemd` : line);
        }
      }
    }

    assert.deepEqual(
      [...examples.values()].flat().filter((line) => !ran.has(line)),
      [],
    );
    assert.equal(readFileSync(join(cwd, 'restored/Documents/letter.txt'), 'utf8'), 'Dear Bob');
    assert.match(readFileSync(calls, 'utf8'), /--user enable .*\n(.*\n)*--user disable --now /);
    assert.ok(existsSync(join(cwd, 'rescued', userHome, 'Documents/letter.txt')), 'restored from the store alone');
  });
});
