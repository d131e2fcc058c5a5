import assert from 'node:assert/strict';
import { mkdirSync, writeFileSync } from 'node:fs';
import { after, before, describe, it } from 'node:test';
import { printable, printableJson } from '@holdfast/protocol/printable.ts';
import { startTestServer, type TestServer } from '@holdfast/server/testing/test-server.ts';
import fc from 'fast-check';
import { enrolledDevice } from '../testing/device-world.ts';
import { temporary } from '../testing/temporary.ts';

describe('what a terminal is shown', () => {
  it('has no control characters and no overrides of direction, and letters of every script as they are', () => {
    assert.equal(printable('a\x1b[31mb\nc\td\x7f\x9b'), 'a\\x1b[31mb\\nc\\td\\x7f\\x9b');
    assert.equal(printable('gpj.\u202eexe\u2066\u2028'), 'gpj.\\u{202e}exe\\u{2066}\\u{2028}');
    assert.equal(printable('Ünïcode שלום 👩‍🚀 C:\\temp'), 'Ünïcode שלום 👩‍🚀 C:\\temp');
  });

  it('stays the same when it is done twice, and JSON keeps its meaning', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (text) => {
        assert.equal(printable(printable(text)), printable(text));
        assert.deepEqual(JSON.parse(printableJson(JSON.stringify({ [text]: text }))), { [text]: text });
      }),
    );
  });
});

const HOSTILE = ['esc\x1b]0;owned\x07', 'two\nlines', 'csi\u009b2J', 'gpj.\u202eexe'];

describe('names in an archive', { skip: process.platform !== 'linux' && 'other systems refuse such names' }, () => {
  let server: TestServer;
  before(async () => {
    server = await startTestServer();
  });
  after(() => server.close());

  it('do nothing to a terminal, whichever command prints them', async (t) => {
    const device = await enrolledDevice(temporary(t), server);
    for (const name of HOSTILE) device.write(name, name);
    mkdirSync(device.path('to\x1b[31m'));
    const lines = [
      ['sets', 'add', 'red\x1b[31m', device.path('to\x1b[31m')],
      ['sets'],
      ['backup'],
      ['status'],
      ['snapshots'],
      ['ls', '~', '--set', 'home'],
      ['ls', '~', '--set', 'home', '--recursive', '--json'],
      ['find', '*', '--set', 'home'],
      ['restore', '~', '--set', 'home', '--to', device.path('to\x1b[31m')],
      ['restore', '~', '--set', 'home', '--to', device.path('to\x1b[31m'), '--existing', 'skip'],
      ['ls', 'not\x1bthere'],
    ];
    for (const name of HOSTILE) writeFileSync(device.path(`to\x1b[31m/${name}`), 'other');
    let shown = '';
    for (const words of lines) {
      const { stdout, stderr } = await device.run(...words);
      assert.doesNotMatch((stdout + stderr).replaceAll('\n', ''), /[\p{Cc}\u202e]/u, words.join(' '));
      shown += stdout + stderr;
    }
    for (const name of ['esc\\x1b]0;owned\\x07', 'two\\nlines', 'csi\\x9b2J', 'gpj.\\u{202e}exe', 'red\\x1b[31m'])
      assert.ok(shown.includes(name), `${name} is shown in\n${shown}`);
  });

  it('come whole to programs, also those that are no text', async (t) => {
    const device = await enrolledDevice(temporary(t), server);
    for (const name of HOSTILE) device.write(name, name);
    const raw = Buffer.concat([Buffer.from(device.path('latin1-')), Buffer.from([0xfc])]);
    writeFileSync(raw, 'ü');
    device.write('latin1-\\xfc', 'looks like it');
    await device.json('backup', '--set', 'home');

    type Entry = { path: string; pathBytes?: string };
    for (const words of [
      ['ls', '~'],
      ['find', '*'],
    ]) {
      const { entries } = await device.json<{ entries: Entry[] }>(...words, '--set', 'home');
      const bytes = entries.map(({ path, pathBytes }) => Buffer.from(pathBytes ?? path, pathBytes ? 'hex' : 'utf8'));
      const names = new Set(bytes.map((path) => path.toString('latin1')));
      for (const name of HOSTILE) assert.ok(names.has(Buffer.from(device.path(name)).toString('latin1')), name);
      assert.ok(names.has(raw.toString('latin1')), words.join(' '));
      assert.ok(names.has(Buffer.from(device.path('latin1-\\xfc')).toString('latin1')), words.join(' '));
    }

    writeFileSync(Buffer.from(raw), 'changed');
    const { renamed } = await device.json<{ renamed: (Entry & { toBytes?: string })[] }>(
      'restore',
      '~',
      '--set',
      'home',
    );
    const [only] = renamed;
    assert.equal(only?.pathBytes, raw.toString('hex'));
    assert.ok(Buffer.from(only?.toBytes ?? '', 'hex').includes(0xfc));
  });
});
