import assert from 'node:assert/strict';
import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { testDevice } from '../testing/device-world.ts';
import { temporary } from '../testing/temporary.ts';
import type { RootDoubt } from './root-doubts.ts';

type Changed = { doubts: RootDoubt[] };

describe('what is selected and may not be meant', () => {
  it('is a path that is not there, which is kept and told', async (t) => {
    const device = testDevice(temporary(t), 'ada');
    const { code, stdout, stderr } = await device.run('sets', 'add', 'drive', '~', '~/usb', '/nonexist');
    assert.equal(code, 0, stderr);
    assert.match(stderr, /ada\/usb is not there now.*\n.*\/nonexist is not there now.*--drop/);
    assert.match(stdout, /\+ ~\/usb\n {2}\+ \/nonexist/);
    mkdirSync(device.path('usb'));
    const { doubts } = await device.json<Changed>('sets', 'edit', 'drive', '--drop', '/nonexist');
    assert.deepEqual(doubts, []);
  });

  it('is a link, with what to select instead', async (t) => {
    const device = testDevice(temporary(t), 'ada');
    mkdirSync(device.path('real'));
    writeFileSync(device.path('real/file'), '');
    symlinkSync('real', device.path('link'));
    symlinkSync('nowhere', device.path('dangling'));
    const { stderr } = await device.run('sets', 'add', 'links', '~/link', '~/dangling', '~/link/file');
    assert.ok(stderr.includes(`Select ${device.path('real')} for that`), stderr);
    const { doubts } = await device.json<Changed>('sets', 'edit', 'links', '--priority', '3');
    assert.deepEqual(
      doubts.map(({ kind, root }) => [kind, root]),
      [
        ['link', '~/link'],
        ['dangling', '~/dangling'],
      ],
    );
    assert.deepEqual(doubts[0]?.kind === 'link' && doubts[0].target, join(device.userHome, 'real'));
  });
});
