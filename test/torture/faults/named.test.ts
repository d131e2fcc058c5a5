import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { isUnlisted, NAMED, PROGRAM_OF, parsePlaces, waysTo } from './named.ts';

describe('named places', () => {
  const NEW = 'backup write home/state/of-tomorrow.json';

  test('stand in lines of scenarios that are there', () => {
    assert.deepEqual(parsePlaces('ingest: statement insert into packs\n'), [
      { scenario: 'ingest', place: 'statement insert into packs' },
    ]);
    assert.throws(() => parsePlaces('nowhere: sync data\n'), /names no scenario/);
    assert.ok(NAMED.length > 250);
    assert.equal(new Set(NAMED.map((each) => JSON.stringify(each))).size, NAMED.length);
  });

  test('count for their program, in whatever scenario it comes there', () => {
    const [{ scenario, place } = assert.fail()] = NAMED;
    assert.equal(isUnlisted(`${PROGRAM_OF[scenario]} ${place}`), false);
    assert.equal(isUnlisted(NEW), true);
    assert.equal(isUnlisted('status write home/state/of-tomorrow.json'), false, 'nothing dies in it');
  });

  test('that are new are tried in each scenario of their program, first where they were seen', () => {
    const ways = waysTo(NEW, new Set(['renewal', 'kill-backup']));
    assert.equal(ways[0]?.scenario, 'renewal');
    assert.deepEqual(new Set(ways.map(({ scenario }) => PROGRAM_OF[scenario])), new Set(['backup']));
    assert.ok(ways.length > 2);
    assert.ok(ways.every(({ place }) => place === 'write home/state/of-tomorrow.json'));
  });
});
