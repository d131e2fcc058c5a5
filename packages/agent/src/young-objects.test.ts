import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { describe, it } from 'node:test';

const MODULE = new URL('./young-objects.ts', import.meta.url).href;

/** MB of the young space after many objects that live for a while. */
function youngSpace(before: string): number {
  const script = `
    ${before}
    import { getHeapSpaceStatistics } from 'node:v8';
    const kept = [];
    for (let i = 0; i < 3_000_000; i++) kept[i % 200_000] = { i, name: String(i) };
    console.log(getHeapSpaceStatistics().find(({ space_name }) => space_name === 'new_space').space_size / 2 ** 20);`;
  const { stdout, stderr } = spawnSync(process.execPath, ['--input-type=module', '-e', script], { encoding: 'utf8' });
  assert.equal(stderr, '');
  return Number(stdout);
}

describe('the space for young objects', () => {
  it('stays small in this version of Node', () => {
    const small = youngSpace(`import { keepYoungSpaceSmall } from ${JSON.stringify(MODULE)}; keepYoungSpaceSmall();`);
    const grown = youngSpace('');
    assert.ok(small > 0 && small <= grown / 4, `${small} MB, else ${grown} MB`);
  });
});
