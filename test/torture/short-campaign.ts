/** The short form of the campaign: each kind of round once, in one world, with a fixed seed. `npm run torture` does many. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { ROUNDS, runWorld } from './campaign.ts';
import { Random } from './support/random.ts';

const SEED = 'short';

describe('what must survive', () => {
  test('kills of agent and server, damage, rebuilding, recovery, maintenance beside backups: everything acknowledged restores', async (t) => {
    t.diagnostic(`seed ${SEED}`);
    const done: string[] = [];
    const failed: unknown[] = [];
    await runWorld({ number: 1, first: 1, kinds: ROUNDS }, new Random(SEED), (event) => {
      if (event.kind === 'failed') failed.push(event.error);
      else {
        done.push(event.name);
        t.diagnostic(`${event.name}: ${event.what}`);
      }
    });
    if (failed.length > 0) throw failed[0];
    assert.deepEqual(done, ['begin', ...ROUNDS.map(({ name }) => name), 'end']);
  });
});
