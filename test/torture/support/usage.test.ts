import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { judge, type Usage, usageOf } from './usage.ts';

const over = (count: number, of: (i: number) => Partial<Usage>): Usage[] =>
  Array.from({ length: count }, (_, i) => ({ memoryMb: 100, openFiles: 40, ...of(i) }));

describe('what a process uses', () => {
  test('is flat when it warms up, and when garbage comes and goes', () => {
    const samples = over(40, (i) => ({ memoryMb: i < 10 ? 60 + 4 * i : 100 + 20 * (i % 2) }));
    assert.deepEqual(judge(samples, 'memoryMb'), { second: 120, last: 120, most: 120 * 1.15 + 16, flat: true });
  });

  test('grows when memory is not given back, or a file not closed now and then', () => {
    const samples = over(40, (i) => ({ memoryMb: 100 + 2 * i, openFiles: 40 + Math.floor(i / 2) }));
    assert.equal(judge(samples, 'memoryMb').flat, false);
    assert.equal(judge(samples, 'openFiles').flat, false);
  });

  test('is not judged by a few samples', () => {
    assert.throws(
      () =>
        judge(
          over(8, () => ({})),
          'memoryMb',
        ),
      /too few/,
    );
  });

  test('is what the system tells', { skip: process.platform !== 'linux' && 'only Linux tells by files' }, () => {
    const { memoryMb, openFiles } = usageOf(process.pid);
    assert.ok(memoryMb > 20 && memoryMb < 4000, `${memoryMb} MB`);
    assert.ok(openFiles > 3, `${openFiles} files`);
  });
});
