import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { describe, it } from 'node:test';

const MODULE = new URL('./memory.ts', import.meta.url).href;

/** How often V8 goes through a heap of a million objects while 1.6 GB of buffers pass through. */
function wholeCollections(before: string): number {
  const script = `
    ${before}
    import { PerformanceObserver, constants } from 'node:perf_hooks';
    const kept = Array.from({ length: 1_000_000 }, (_, i) => ({ i }));
    let whole = 0;
    const observer = new PerformanceObserver((list) => {
      whole += list.getEntries().filter(({ detail }) => detail.kind === constants.NODE_PERFORMANCE_GC_MAJOR).length;
    });
    observer.observe({ entryTypes: ['gc'] });
    for (let pack = 0; pack < 100; pack++) {
      for (let i = 0; i < 1000; i++) Buffer.allocUnsafeSlow(16_384).fill(i, 0, 1);
      await new Promise((resolve) => setImmediate(resolve));
    }
    await new Promise((resolve) => setImmediate(resolve));
    console.log(whole, kept.length);`;
  const { stdout, stderr } = spawnSync(process.execPath, ['--input-type=module', '-e', script], { encoding: 'utf8' });
  assert.equal(stderr, '');
  return Number.parseInt(stdout, 10);
}

describe('buffers that pass through', () => {
  it('make this version of Node collect everything less often', () => {
    const before = wholeCollections('');
    const after = wholeCollections(`import { letBuffersGoYoung } from ${JSON.stringify(MODULE)}; letBuffersGoYoung();`);
    assert.ok(after <= before / 2, `${after} times, else ${before} times`);
  });
});
