import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, it, type TestContext } from 'node:test';
import { startTestServer, type TestServer } from '@holdfast/server/testing/test-server.ts';
import { cuttingProxy } from '../testing/cutting-proxy.ts';
import { testDevice } from '../testing/device-world.ts';
import { leapingTime } from '../testing/leaping-time.ts';
import { temporary } from '../testing/temporary.ts';

describe('enrolment', () => {
  let server: TestServer;
  let users = 0;
  before(async () => {
    server = await startTestServer();
  });
  after(() => server.close());

  async function world(t: TestContext) {
    const dir = temporary(t);
    const user = await server.addUser(`ada${users++}`);
    writeFileSync(join(dir, 'password'), `${user.password}\n`);
    const string = await server.server.enrolmentString();
    const line = ['enrol', string, '--user', user.username, '--password-file', join(dir, 'password'), '--json'];
    return { dir, user, string, line };
  }

  it('makes a device, its archive and its backup sets', async (t) => {
    const { dir, user, line } = await world(t);
    const device = testDevice(dir, 'laptop');
    const { code, stdout } = await device.run(...line, '--name', 'my laptop');
    assert.equal(code, 0, stdout);
    const { device: made, sets } = JSON.parse(stdout.trim().split('\n').at(-1) ?? '') as {
      device: { name: string; guid: string };
      sets: string[];
    };
    assert.equal(made.name, 'my laptop');
    assert.match(made.guid, /^\d{18,19}$/);
    assert.deepEqual(sets, ['Home']);
    const status = await device.json<{ device: { user: string } }>('status');
    assert.equal(status.device.user, user.username);
  });

  it('takes the password from standard input', async (t) => {
    const { dir, user, string } = await world(t);
    const device = testDevice(dir, 'laptop');
    const words = ['enrol', string, '--user', user.username, '--password-stdin'];
    const ran = await device.runWith({ input: `${user.password}\nmore` }, ...words);
    assert.equal(ran.code, 0, ran.stderr);
  });

  it('without a terminal or a password says how to give one', async (t) => {
    const { dir, user, string } = await world(t);
    const ran = await testDevice(dir, 'laptop').run('enrol', string, '--user', user.username);
    assert.equal(ran.code, 9);
    assert.match(ran.stderr, /--password-stdin/);
  });

  it('with a password for one time asks for one of the user’s own, which is what counts from then on', async (t) => {
    const dir = temporary(t);
    const newcomer = await server.addNewcomer(`newcomer${users++}`);
    const [once, own] = [join(dir, 'once'), join(dir, 'own')];
    writeFileSync(once, newcomer.password);
    writeFileSync(own, 'a password of my own\n');
    const string = await server.server.enrolmentString();
    const line = ['enrol', string, '--user', newcomer.username, '--password-file'];

    const unasked = await testDevice(dir, 'laptop').run(...line, once);
    assert.deepEqual([unasked.code, /--new-password-file/.test(unasked.stderr)], [9, true], unasked.stderr);
    const laptop = testDevice(dir, 'laptop');
    writeFileSync(join(dir, 'short'), 'short');
    const short = await laptop.run(...line, once, '--new-password-file', join(dir, 'short'));
    assert.deepEqual([short.code, /at least 10 characters/.test(short.stderr)], [2, true], short.stderr);
    const enrolled = await laptop.run(...line, once, '--new-password-file', own);
    assert.equal(enrolled.code, 0, enrolled.stderr);
    assert.equal((await testDevice(dir, 'desktop').run(...line, once)).code, 6);
    assert.equal((await testDevice(dir, 'desktop').run(...line, own)).code, 0);
    const repeated = await testDevice(dir, 'phone').run(...line, once, '--new-password-file', own);
    assert.equal(repeated.code, 0, 'as after an answer that was lost');

    writeFileSync(once, 'yet another password');
    const change = ['password', '--password-file', own, '--new-password-file', once];
    assert.match((await laptop.run(...change)).stdout, /is changed/);
    assert.equal((await laptop.run(...change)).code, 6, 'the old password is void');
    assert.equal((await laptop.run('password', '--password-file', once)).code, 9, 'nothing says the new one');
    laptop.write('letter.txt', 'Dear Bob');
    await laptop.json('sets', 'add', 'home', '~');
    await laptop.json('backup', '--set', 'home');
  });

  it('happens once', async (t) => {
    const { dir, line } = await world(t);
    const device = testDevice(dir, 'laptop');
    assert.equal((await device.run(...line)).code, 0);
    const again = await device.run(...line);
    assert.equal(again.code, 2);
    assert.match(again.stdout, /already_enrolled/);
  });

  it('that breaks off anywhere is finished by the same command', async (t) => {
    const proxy = await cuttingProxy(server.server.httpsPort);
    t.after(() => proxy.close());
    const through = (string: string) => string.replace(`:${server.server.httpsPort}:`, `:${proxy.port}:`);
    let broken = 0;
    for (let pieces = 3; ; pieces += 5) {
      const { dir, line } = await world(t);
      const words = line.map(through);
      const device = testDevice(dir, 'laptop', { time: leapingTime() });
      proxy.cutAfter(pieces);
      const first = await device.run(...words);
      if (first.code === 0) break;
      broken++;
      proxy.mend();
      const again = await device.run(...words);
      assert.equal(again.code, 0, `cut after ${pieces} pieces: ${again.stdout}`);
      device.write('letter.txt', 'Dear Bob');
      await device.json('sets', 'add', 'home', '~');
      await device.json('backup', '--set', 'home');
      await device.json('restore', device.path('letter.txt'), '--to', 'restored');
      assert.equal(readFileSync(join(device.shell.cwd, 'restored/letter.txt'), 'utf8'), 'Dear Bob');
    }
    assert.ok(broken >= 4, `broke off in ${broken} places`);
  });
});
