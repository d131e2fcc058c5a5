import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { expandRoots, parseRoot } from './backup-set.ts';

const USER = { cwd: '/home/ada/work', userHome: '/home/ada', platform: 'linux', root: false } as const;
const ROOT = { cwd: '/root', userHome: '/root', platform: 'linux', root: true } as const;

const backedUp = (typed: string, who: typeof USER | typeof ROOT): string[] => expandRoots([parseRoot(typed, who)], who);

describe('what is typed as a selection', () => {
  it("means a user's own home, whether or not a shell wrote it out", () => {
    assert.deepEqual(backedUp('~', USER), ['/home/ada']);
    assert.deepEqual(backedUp('/home/ada/', USER), ['/home/ada']);
    assert.equal(parseRoot('/home/ada', USER), '~');
    assert.deepEqual(backedUp('notes', USER), ['/home/ada/work/notes']);
    assert.deepEqual(backedUp('~/notes', USER), ['/home/ada/notes']);
  });

  it("means every home for root, but not when root's own is named", () => {
    assert.deepEqual(backedUp('~', ROOT), ['/home', '/root']);
    assert.deepEqual(backedUp('/root', ROOT), ['/root']);
    assert.deepEqual(backedUp('.', ROOT), ['/root']);
  });
});
