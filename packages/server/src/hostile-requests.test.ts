// Every route of the server under attack. The long form, with both databases, is `npm run torture -- --fuzz`.

import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { isOctets } from '@holdfast/protocol/route.ts';
import { Attack, type Finding } from './testing/hostile/attack.ts';
import { BOMBS } from './testing/hostile/bombs.ts';
import { seeded } from './testing/hostile/draw.ts';
import { asWire, WAYS, withBomb } from './testing/hostile/mutate.ts';

/** What all of them may leave in memory that is not yet collected: the bombs would take gigabytes. */
const MOST_MEMORY = 400 * 1024 * 1024;

describe('hostile requests', () => {
  const seed = Date.now() % 1_000_000;
  const draw = seeded(seed);
  let attack: Attack;
  before(async () => {
    attack = await Attack.start(draw);
  });
  after(() => attack.close());

  test('get a coded refusal from every route, and leave nothing', async () => {
    const findings: Finding[] = [];
    for (const route of attack.routes) {
      const finding = await attack.once(route, draw.pick(Object.keys(WAYS)));
      if (finding !== null) findings.push(finding);
    }
    assert.deepEqual(findings, [], `seed ${seed}`);
    assert.ok(await attack.lives());
    assert.ok((attack.statuses.get(400) ?? 0) > 0 && (attack.statuses.get(401) ?? 0) > 0);
  });

  test('that are bombs are refused by every route that takes octets, in little memory', async () => {
    const routes = attack.routes.filter(({ body }) => isOctets(body));
    assert.ok(routes.length >= 5);
    const findings: Finding[] = [];
    const taken = () => [200, 201, 204].reduce((sum, status) => sum + (attack.statuses.get(status) ?? 0), 0);
    const takenBefore = taken();
    const before = process.memoryUsage().rss;
    for (const route of routes) {
      for (const bomb of Object.keys(BOMBS)) {
        const finding = await attack.allowed(route, bomb, (parts) => asWire(withBomb(parts, bomb)));
        if (finding !== null) findings.push(finding);
      }
    }
    assert.deepEqual(findings, []);
    assert.equal(taken(), takenBefore, 'none is taken');
    assert.ok(process.memoryUsage().rss - before < MOST_MEMORY);
    assert.ok(await attack.lives());
  });

  test('are found out when one leaves something, or ends without a code', async () => {
    const health = attack.routes.find(({ path }) => path === '/health');
    const signIn = attack.routes.find(({ path }) => path === '/api/v1/sign-in');
    assert.ok(health && signIn);
    const { kysely } = attack.server.server.foundation.context.database;
    await kysely.insertInto('state').values({ key: 'left', value: 'behind' }).execute();
    const finding = await attack.once(signIn, 'a length that is none');
    assert.match(finding?.what ?? '', /it was refused, and left authority\.state/);
    assert.equal(await attack.once(health, 'as it is'), null);
  });
});
