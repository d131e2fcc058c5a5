import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { compileExclusions as compileForWalk } from '@holdfast/archive/source/exclude.ts';
import { DEFAULT_EXCLUDE, type Exclusions } from './backup-set.ts';
import { checkGlob, compileExclusions } from './globs.ts';

const linux = { userHome: '/home/ada', platform: 'linux' } as const;

/** The rules as the walk's own threads apply them, after they went through a message. */
function asks(
  exclude: Exclusions,
  place: { userHome: string; platform: NodeJS.Platform } = linux,
  always: string[] = [],
) {
  const excludes = compileForWalk(structuredClone(compileExclusions(exclude, place, always)));
  return (path: string, directory: boolean) => excludes(Buffer.from(path), directory);
}

describe('exclusions', () => {
  it('leave out a name without a slash wherever it lies', () => {
    const excluded = asks({ all: ['node_modules', '*.tmp', '{a,b}.o'] });
    assert.equal(excluded('/home/ada/app/node_modules', true), true);
    assert.equal(excluded('/x.tmp', false), true);
    assert.equal(excluded('/home/ada/.hidden.tmp', false), true);
    assert.equal(excluded('/home/ada/b.o', false), true);
    assert.equal(excluded('/home/ada/node_modules2', true), false);
    assert.equal(excluded('/home/ada/x.tmp.txt', false), false);
    assert.equal(excluded('/home/ada/cab.o', false), false);
    assert.equal(asks({ all: ['[!a-c]x'] })('/home/dx', false), true);
    assert.equal(asks({ all: ['[!a-c]x'] })('/home/bx', false), false);
    assert.equal(asks({ all: ['/srv/!(keep)'] })('/srv/keep', false), false);
    assert.equal(asks({ all: ['/srv/!(keep)'] })('/srv/other', false), true);
  });

  it('take a path from the root or the home as it stands', () => {
    const excluded = asks({ all: ['/var/log/*.gz', '~/.cache'] });
    assert.equal(excluded('/var/log/a.gz', false), true);
    assert.equal(excluded('/var/log/old/a.gz', false), false);
    assert.equal(excluded('/srv/var/log/a.gz', false), false);
    assert.equal(excluded('/home/ada/.cache', true), true);
    assert.equal(excluded('/home/bob/.cache', true), false);
  });

  it('take a path without a beginning at any depth', () => {
    const excluded = asks({ all: ['build/output', '**/gen/*.c'] });
    assert.equal(excluded('/home/ada/p/build/output', true), true);
    assert.equal(excluded('/home/ada/p/build/outputs', true), false);
    assert.equal(excluded('/home/ada/p/rebuild/output', true), false);
    assert.equal(excluded('/p/gen/x.c', false), true);
  });

  it('name folders only with a slash at the end', () => {
    const excluded = asks({ all: ['target/', '~/work/*/out/'] });
    assert.equal(excluded('/home/ada/target', true), true);
    assert.equal(excluded('/home/ada/target', false), false);
    assert.equal(excluded('/home/ada/work/p/out', true), true);
    assert.equal(excluded('/home/ada/work/p/out', false), false);
  });

  it('take a home with glob characters literally', () => {
    const excluded = asks({ all: ['~/x*'] }, { userHome: '/home/[ada].$1', platform: 'linux' });
    assert.equal(excluded('/home/[ada].$1/x1', false), true);
    assert.equal(excluded('/home/a.$1/x1', false), false);
  });

  it('apply what is written for this system, and only that', () => {
    const exclude = { all: ['*.bak'], linux: ['*.swp'], win32: ['*.lnk', '~\\Temp'] };
    assert.equal(asks(exclude)('/a/x.swp', false), true);
    assert.equal(asks(exclude)('/a/x.lnk', false), false);
    const windows = asks(exclude, { userHome: 'C:\\Users\\Ada', platform: 'win32' });
    assert.equal(windows('C:/Users/Ada/X.LNK', false), true, 'case does not count on Windows');
    assert.equal(windows('C:/Users/Ada/Temp', true), true);
  });

  it('leave out the state folder whatever the set says', () => {
    const excluded = asks({}, linux, ['/srv/[1]/holdfast']);
    assert.equal(excluded('/srv/[1]/holdfast', true), true);
    assert.equal(excluded('/srv/[1]/holdfast2', true), false);
  });

  it('match names with line breaks', () => {
    const excluded = asks({ all: ['*.tmp', '~/a/**/z'] });
    assert.equal(excluded('/home/ada/a\nb.tmp', false), true);
    assert.equal(excluded('/home/ada/a/q\nr/z', false), true);
  });

  it('leave out caches, trash and the system folders by default', () => {
    const excluded = asks(DEFAULT_EXCLUDE);
    for (const path of ['/proc', '/home/ada/.cache', '/home/bob/.local/share/Trash', '/tmp']) {
      assert.equal(excluded(path, true), true, path);
    }
    assert.equal(excluded('/home/ada/tmp', true), false);
    assert.equal(excluded('/home/ada/Documents', true), false);
  });

  it('are refused when they cannot be meant', () => {
    for (const glob of ['', ' ', '/', '//', '[a']) assert.throws(() => checkGlob(glob), { code: 'glob_invalid' }, glob);
    assert.equal(checkGlob(' *.tmp '), '*.tmp');
    for (const glob of ['a-b_c/*.x', '!(keep)*', '{x,y}/**', '[!a-z]?', "it's.txt", 'ünï*']) checkGlob(glob);
  });
});
