import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { missedSnapshots } from './missed.ts';
import type { RefusedSnapshot, Snapshot } from './snapshots.ts';

const whole = (id: string, at: number, set = 'home', device = 'd1') =>
  ({ id, at, sequence: at, device: { id: device, name: device }, set: { id: `id of ${set}`, name: set } }) as Snapshot;

const refused = (id: string, known: Partial<RefusedSnapshot> = {}): RefusedSnapshot => ({
  id,
  file: `snapshots/${id}`,
  code: 'format_invalid',
  reason: 'It is damaged',
  device: null,
  set: null,
  sequence: null,
  at: null,
  followed: false,
  ...known,
});
const HOME = { device: 'd1', set: 'id of home' };

const HISTORY = [whole('a', 10), whole('b', 20), whole('c', 15, 'work')];

function missed(bad: RefusedSnapshot, chosen: readonly Snapshot[], wanted: object = {}): boolean {
  const points = chosen.map((snapshot) => ({ snapshot, paths: [] }));
  return missedSnapshots([bad], HISTORY, points, { paths: [], ...wanted }).length > 0;
}

describe('a refused snapshot', () => {
  const newest = [HISTORY[1]!];

  it('is missed when it came after the one that is used', () => {
    for (const known of [{ at: 30 }, { ...HOME, sequence: 21, at: 30 }, { ...HOME, sequence: 21 }, {}])
      assert.ok(missed(refused('x', known), newest), JSON.stringify(known));
  });

  it('is not missed when it came before, or a later one of its chain is whole', () => {
    for (const known of [{ at: 5 }, { ...HOME, sequence: 19, at: 30 }, { followed: true }])
      assert.ok(!missed(refused('x', known), newest), JSON.stringify(known));
  });

  it('is missed where its set or device has no other', () => {
    const alone = { device: 'd1', set: 'id of photos', at: 5, sequence: 1 };
    assert.ok(missed(refused('x', alone), newest));
    assert.ok(missed(refused('x', alone), [], { set: 'photos' }), 'its name is sealed');
    assert.ok(!missed(refused('x', { ...alone, set: 'id of work' }), newest, { set: 'home' }));
    assert.ok(!missed(refused('x', { ...alone, device: 'd2' }), newest, { device: 'd1' }));
  });

  it('is not missed when a whole one of its set does not hold what was asked for', () => {
    assert.ok(!missed(refused('x', { device: 'd1', set: 'id of work', sequence: 99, at: 99 }), newest));
  });

  it('counts up to the time that was asked for', () => {
    assert.ok(missed(refused('x', { ...HOME, sequence: 15, at: 15 }), [HISTORY[0]!], { at: 17 }));
    assert.ok(!missed(refused('x', { ...HOME, sequence: 21, at: 30 }), newest, { at: 25 }));
    assert.ok(!missed(refused('x'), newest, { at: 25 }));
  });

  it('is meant by its id, unless that is another', () => {
    assert.ok(missed(refused('abcd'), [], { id: 'ABC' }));
    assert.ok(!missed(refused('abcd'), newest, { id: 'b' }));
  });
});
