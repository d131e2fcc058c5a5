import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { circles } from './circles.ts';
import { factsOf } from './imports.ts';
import { readFiles } from './source-files.ts';

const found = (files: Record<string, string>): string[] =>
  circles(Object.entries(files).map(([path, text]) => factsOf(path, text)));

describe('circles of imports', () => {
  it('are none', () => {
    const files = readFiles('{packages/*/src,bench,scripts,test}/**/*.{ts,mts,mjs,js}');
    assert.ok(files.length > 0);
    assert.deepEqual(circles(files.map(({ path, text }) => factsOf(path, text))), []);
  });

  it('are told with the way round, once, whatever leads into them', () => {
    const files = {
      'a/start.ts': `import './one.ts'`,
      'a/one.ts': `import './two.ts'`,
      'a/two.ts': `import type { Three } from '../b/three.ts'`,
      'b/three.ts': `import '../a/one.ts'`,
    };
    assert.deepEqual(found(files), ['a/one.ts -> a/two.ts -> b/three.ts -> a/one.ts']);
  });

  it('are not two ways to one file', () => {
    assert.deepEqual(found({ 'a.ts': `import './b.ts'; import './c.ts'`, 'b.ts': `import './c.ts'`, 'c.ts': '' }), []);
  });
});
