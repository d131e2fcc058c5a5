// Every route of the server under attack. The long form, with both databases, is `npm run torture -- --fuzz`.

import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { Attack, type Finding } from './testing/hostile/attack.ts';
import { seeded } from './testing/hostile/draw.ts';
import { WAYS } from './testing/hostile/mutate.ts';

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
