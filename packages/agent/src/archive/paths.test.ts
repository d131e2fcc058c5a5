import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { commonParent, snapshotPath } from './paths.ts';

const place = { userHome: '/home/ada', platform: 'linux' } as const;

describe('paths in a snapshot', () => {
  it('begin at the root, wherever a person stands', () => {
    assert.equal(snapshotPath('~/Documents', '/srv', place), 'home/ada/Documents');
    assert.equal(snapshotPath('~', '/srv', place), 'home/ada');
    assert.equal(snapshotPath('letter.txt', '/srv/x', place), 'srv/x/letter.txt');
    assert.equal(snapshotPath('../y/', '/srv/x', place), 'srv/y');
    assert.equal(snapshotPath('/', '/srv', place), '');
    assert.equal(snapshotPath('~bob', '/home', place), 'home/~bob');
  });

  it('are restored below the deepest folder that holds all of them', () => {
    assert.deepEqual(commonParent(['home/ada/docs']), { parent: 'home/ada', rest: ['docs'] });
    assert.deepEqual(commonParent(['home/ada/a/x', 'home/ada/b']), { parent: 'home/ada', rest: ['a/x', 'b'] });
    assert.deepEqual(commonParent(['home/a', 'srv/b']), { parent: '', rest: ['home/a', 'srv/b'] });
    assert.deepEqual(commonParent(['home/a', 'home/a/b']), { parent: 'home', rest: ['a', 'a/b'] });
  });
});
