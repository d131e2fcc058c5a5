import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { DAEMON_MOMENTS, daemonDies } from './rounds/kill-daemon.ts';
import { shortWorld } from './support/short.ts';
import { SMALL } from './support/world.ts';

describe('the service is killed', () => {
  const { world, round } = shortWorld(['laptop'], SMALL);

  test('when its first commit is acknowledged: started again it goes on without help', async (t) => {
    const death = DAEMON_MOMENTS['when its first commit is acknowledged']!;
    const what = await round(t, (random) => daemonDies(world, world.device('laptop'), random, { death }));
    assert.equal(what, 'died after nothing');
  });
});
