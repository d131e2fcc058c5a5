import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import type { Command } from 'commander';
import { run } from '../testing/program.ts';
import { startTestServer } from '../testing/test-server.ts';
import { buildProgram } from './program.ts';

/** Serves until it is stopped, needs a server that stands still, or words that only a start shows: main.test.ts runs them. */
const ELSEWHERE = ['start', 'reindex', 'recover', 'kit confirm', 'kit identity'];

function leaves(command: Command, above = ''): { name: string; help: string }[] {
  return command.commands.flatMap((one) => {
    const name = `${above}${one.name()}`;
    if (one.commands.length > 0) return leaves(one, `${name} `);
    let help = '';
    one.configureOutput({ writeOut: (text) => (help += text) }).outputHelp();
    return [{ name, help }];
  });
}

test('every command shows an example under --help, and the examples work as they stand', async (t) => {
  const dir = mkdtempSync(join(tmpdir(), 'holdfast-examples-'));
  const server = await startTestServer({ dataDir: join(dir, 'data') });
  t.after(async () => {
    await server.close();
    rmSync(dir, { recursive: true, force: true });
  });
  const { device } = await server.enrol(await server.addUser('grace'));
  for (const { name, help } of leaves(buildProgram())) {
    const line = /^Example:\n {2}holdfast-server (.*)$/m.exec(help)?.[1] ?? '';
    assert.ok(line.startsWith(name), `${name} has an example`);
    if (ELSEWHERE.includes(name)) continue;
    const places = line.replace('/var/lib/holdfast', join(dir, 'data')).replace('/media/usb', dir);
    const { code, stderr } = await run(
      places.replace('204818234517263851', device.guid).split(' '),
      'a password of her own\n',
    );
    assert.equal(code, 0, `${line}\n${stderr}`);
  }
});
