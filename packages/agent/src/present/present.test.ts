import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { existsSync, mkdirSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { NO_SETTINGS, valuesOf } from '../state/settings.ts';
import { temporary } from '../testing/temporary.ts';
import { isBelowFloor, parsePmset, parseWindowsBattery, readPower, readPowerSupplies } from './battery.ts';
import { inputSources, lastInput, parseLogind, parseQuser, terminals } from './last-input.ts';
import { limitsFor, presenceAt } from './presence.ts';

const MINUTE = 60_000;

describe('presence', () => {
  it('ends fifteen minutes after the last input', () => {
    const now = 100 * MINUTE;
    assert.equal(presenceAt(now, now - 14 * MINUTE, 15 * MINUTE), 'present');
    assert.equal(presenceAt(now, now - 15 * MINUTE, 15 * MINUTE), 'away');
    assert.equal(presenceAt(now, null, 15 * MINUTE), 'away');
    assert.equal(presenceAt(now, now + MINUTE, 15 * MINUTE), 'present');
  });

  it('decides how much the agent takes', () => {
    const values = valuesOf(NO_SETTINGS);
    assert.deepEqual(limitsFor('present', values), { cpu: 0.2, upload: null, download: null });
    assert.equal(limitsFor('away', values).cpu, 0.8);
  });
});

describe('the last input', () => {
  it('is what was typed into a terminal', {
    skip: process.platform !== 'linux' ? 'terminals of Linux' : false,
  }, async (t) => {
    // `script` gives its child a real terminal, reads what we type and passes it on
    const script = ['/usr/bin/script', '/bin/script'].find(existsSync);
    if (script === undefined) return t.skip('script(1) is not installed');
    const child = spawn(script, ['-qc', 'tty; cat', '/dev/null'], { stdio: ['pipe', 'pipe', 'inherit'] });
    t.after(() => child.stdin.end());
    const output = child.stdout[Symbol.asyncIterator]();
    const tty = /\/dev\/pts\/\d+/.exec(String((await output.next()).value))?.[0];
    assert.ok(tty !== undefined);
    child.stdin.write('hello\n');
    for (let seen = ''; !seen.includes('hello\r\nhello'); ) seen += String((await output.next()).value);
    const found = await terminals('/dev').read(0);
    assert.ok(found !== null && found >= statSync(tty).atimeMs);
  });

  it('is nothing where there is no terminal', async (t) => {
    assert.equal(await terminals(temporary(t)).read(0), null);
  });

  it('is the latest that any source knows, and none fails the others', async () => {
    const source = (at: number | null) => ({ name: 'x', read: async () => at });
    const failing = { name: 'y', read: async () => Promise.reject(new Error('not installed')) };
    assert.equal(await lastInput([source(5), failing, source(9), source(null)], 100), 9);
    assert.equal(await lastInput([source(200)], 100), 100, 'no input is to come');
    assert.equal(await lastInput([failing], 100), null);
  });

  it('is asked of logind for graphical sessions', () => {
    const shown = (type: string, idle: string, since = '0') =>
      `Type=${type}\nActive=yes\nIdleHint=${idle}\nIdleSinceHint=${since}\n`;
    assert.equal(parseLogind(shown('wayland', 'no'), 77), 77);
    assert.equal(parseLogind(shown('x11', 'yes', '1700000000000000'), 77), 1_700_000_000_000);
    assert.equal(parseLogind(shown('tty', 'no'), 77), null, 'terminals say it better');
    assert.equal(parseLogind(shown('x11', 'no').replace('Active=yes', 'Active=no'), 77), null);
  });

  it('is asked of the desktop and of the other systems', async () => {
    const answers: Record<string, string> = {
      gdbus: '(uint64 90000,)',
      ioreg: '  "HIDIdleTime" = 60000000000',
      loginctl: '',
    };
    const exec = async (command: string) => answers[command] ?? '';
    const [, , gnome] = inputSources({ platform: 'linux', desktop: true }, exec);
    assert.equal(await gnome?.read(100_000), 10_000);
    const [, mac] = inputSources({ platform: 'darwin', desktop: false }, exec);
    assert.equal(await mac?.read(100_000), 40_000);
  });

  it('is read from the sessions of Windows', () => {
    const text = [
      ' USERNAME   SESSIONNAME  ID  STATE   IDLE TIME  LOGON TIME',
      '>ada        console       1  Active      1:05   3/1/2026 9:00 AM',
      ' bob                      2  Disc     2+03:04   3/1/2026 9:00 AM',
    ].join('\r\n');
    assert.equal(parseQuser(text, 100 * MINUTE), 35 * MINUTE);
    assert.equal(parseQuser(text.replace('1:05', 'none'), 100 * MINUTE), 100 * MINUTE);
    assert.equal(parseQuser('No User exists for *', 5), null);
  });
});

describe('the battery', () => {
  const supply = (folder: string, name: string, files: Record<string, string>) => {
    mkdirSync(join(folder, name));
    for (const [file, text] of Object.entries(files)) writeFileSync(join(folder, name, file), `${text}\n`);
  };

  it('stops the service below its floor, unless it is plugged in', (t) => {
    const folder = temporary(t);
    supply(folder, 'BAT0', { type: 'Battery', status: 'Discharging', capacity: '15' });
    supply(folder, 'hidpp_battery_0', { type: 'Battery', scope: 'Device', status: 'Discharging', capacity: '80' });
    supply(folder, 'AC', { type: 'Mains', online: '0' });
    assert.deepEqual(readPowerSupplies(folder), { onBattery: true, charge: 0.15 });
    assert.equal(isBelowFloor(readPowerSupplies(folder), 0.2), true);
    assert.equal(isBelowFloor(readPowerSupplies(folder), 0.1), false);
    writeFileSync(join(folder, 'AC', 'online'), '1\n');
    assert.equal(isBelowFloor(readPowerSupplies(folder), 0.2), false);
  });

  it('is nothing to wait for where there is none', async (t) => {
    assert.deepEqual(readPowerSupplies(temporary(t)), { onBattery: false, charge: null });
    assert.deepEqual(readPowerSupplies('/no/such/folder'), { onBattery: false, charge: null });
    if (process.platform === 'linux') assert.equal(typeof (await readPower('linux')).onBattery, 'boolean');
  });

  it('is read on a Mac and on Windows', () => {
    const mac = "Now drawing from 'Battery Power'\n -InternalBattery-0 (id=1)\t57%; discharging; 3:00 remaining";
    assert.deepEqual(parsePmset(mac), { onBattery: true, charge: 0.57 });
    assert.deepEqual(parsePmset("Now drawing from 'AC Power'\n"), { onBattery: false, charge: null });
    assert.deepEqual(parseWindowsBattery('1 18\r\n'), { onBattery: true, charge: 0.18 });
    assert.deepEqual(parseWindowsBattery('2 18\r\n'), { onBattery: false, charge: 0.18 });
    assert.deepEqual(parseWindowsBattery(''), { onBattery: false, charge: null });
  });
});
