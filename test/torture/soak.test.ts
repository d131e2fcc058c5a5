import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { parseSoak, soak, soakTable } from './soak.ts';
import { Random } from './support/random.ts';

describe('a soak', () => {
  test('samples server and service while all of it goes on, and its last state restores', async (t) => {
    if (process.platform !== 'linux') {
      t.diagnostic('skipped: only Linux tells by files what a process uses');
      return;
    }
    const result = await soak(3000, new Random('short'));
    for (const [name, count] of Object.entries(result.done)) assert.ok(count > 0, name);
    assert.ok(result.samples >= 12);
    assert.equal(result.rows.length, 4);
    for (const { second, last } of result.rows) assert.ok(second > 0 && last > 0);
    assert.match(soakTable(result).join('\n'), /service +memory, MB +\d+ +\d+ +\d+ +(flat|GROWS)/);
  });

  test('lasts as long as it is told', () => {
    assert.deepEqual(['90s', '30m', '2h'].map(parseSoak), [90_000, 1_800_000, 7_200_000]);
    assert.deepEqual(['', '30', '0s', '1d', 'm'].map(parseSoak), [null, null, null, null, null]);
  });
});
