import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { count, counted } from './counts.ts';

describe('how many there are', () => {
  it('is grouped by thousands', () => {
    for (const value of [0, 7, 999, 1000, 12_345, 999_999, 1_000_000, 2 ** 53 - 1]) {
      assert.equal(count(value), value.toLocaleString('en-US'));
    }
  });

  it('has its noun in the singular or plural', () => {
    assert.equal(counted(1, 'file'), '1 file');
    assert.equal(counted(0, 'file'), '0 files');
    assert.equal(counted(2000, 'file'), '2,000 files');
  });
});
