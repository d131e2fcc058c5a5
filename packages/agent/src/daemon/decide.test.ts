import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { newSet } from '../sets/backup-set.ts';
import type { Due } from '../sets/schedule.ts';
import { decide, type Situation } from './decide.ts';

const due = (name: string, at: number): Due => ({
  set: newSet(name, name, ['/']),
  at,
  walk: 'everything',
  because: 'interval',
});

const SITUATION: Situation = {
  now: 1000,
  enrolled: true,
  pause: null,
  power: { onBattery: false, charge: 0.1 },
  batteryFloor: 0.2,
  offline: null,
  dues: [due('first', 2000), due('second', 900), due('third', 100)],
};

const decision = (changes: Partial<Situation>) => {
  const decided = decide({ ...SITUATION, ...changes });
  if (decided.kind === 'run') return `run ${decided.due.set.name}`;
  if (decided.kind === 'probe') return 'probe';
  return `wait ${decided.why?.code ?? 'for time'} until ${decided.until}`;
};

describe('the service', () => {
  it('runs the due set of the lowest priority number, not the one that waits longest', () => {
    assert.equal(decision({}), 'run second');
    assert.equal(decision({ now: 2000 }), 'run first');
  });

  it('waits for the next set when none is due', () => {
    assert.equal(decision({ now: 50 }), 'wait for time until 100');
    assert.equal(decision({ dues: [] }), 'wait for time until null');
  });

  it('waits while it is paused, until the pause ends', () => {
    assert.equal(decision({ pause: { since: 1, until: 5000 } }), 'wait paused until 5000');
    assert.equal(decision({ pause: { since: 1, until: null } }), 'wait paused until null');
  });

  it('waits on a low battery, and looks again', () => {
    assert.equal(decision({ power: { onBattery: true, charge: 0.19 } }), 'wait battery_low until 61000');
    assert.equal(decision({ power: { onBattery: true, charge: 0.2 } }), 'run second');
    assert.equal(decision({ power: { onBattery: true, charge: null } }), 'run second');
  });

  it('waits while the server is away, and asks it again at its time', () => {
    const offline = { since: 1, nextTry: 1500, message: 'x' };
    assert.equal(decision({ offline }), 'wait offline until 1500');
    assert.equal(decision({ offline, now: 1500 }), 'probe');
    assert.equal(decision({ offline, now: 50 }), 'wait for time until 100', 'nothing is due, so nothing is waited for');
  });

  it('does nothing before it is enrolled', () => {
    assert.equal(decision({ enrolled: false }), 'wait not_enrolled until null');
  });
});
