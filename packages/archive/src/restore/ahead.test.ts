import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import fc from 'fast-check';
import { ahead } from './ahead.ts';

describe('running ahead', () => {
  it('gives the same items in the same order, whatever both sides wait for', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.boolean(), { maxLength: 40 }),
        fc.array(fc.boolean()),
        fc.integer({ min: 1, max: 5 }),
        async (waits, pauses, limit) => {
          const source = async function* () {
            for (const [index, wait] of waits.entries()) {
              if (wait) await turn();
              yield index;
            }
          };
          const seen: number[] = [];
          for await (const item of ahead(source(), limit)) {
            if (pauses[item]) await turn();
            seen.push(item);
          }
          assert.deepEqual(seen, [...waits.keys()]);
        },
      ),
    );
  });

  it('is never further ahead than the limit', async () => {
    let made = 0;
    const source = async function* () {
      for (;;) yield made++;
    };
    const running = ahead(source(), 4);
    for (let taken = 0; taken < 20; taken++) {
      await running.next();
      for (let i = 0; i < 10; i++) await turn();
      assert.ok(made <= taken + 10, `${made} made, ${taken + 1} taken`);
    }
    await running.return(undefined);
  });

  it('passes an error on after what came before it, and ends the source when the consumer leaves', async () => {
    let ended = 0;
    const source = async function* () {
      try {
        yield 1;
        yield 2;
        throw new Error('no more');
      } finally {
        ended++;
      }
    };
    const seen: number[] = [];
    await assert.rejects(async () => {
      for await (const item of ahead(source(), 10)) seen.push(item);
    }, /no more/);
    assert.deepEqual(seen, [1, 2]);
    for await (const item of ahead(source(), 1)) if (item === 1) break;
    assert.equal(ended, 2);
  });
});
