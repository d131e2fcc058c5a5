import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { newSet } from '../sets/backup-set.ts';
import { temporaryHome } from '../testing/temporary.ts';
import { tryLock } from './lock.ts';
import { editSettings, findSet, NO_SETTINGS, readSettings, type Settings, setsOf, valuesOf } from './settings.ts';

const ID = '11'.repeat(16);
const OTHER = '22'.repeat(16);
const limits = { cpu: 0.5, upload: 1000, download: null };
const policy = {
  revision: 3,
  sets: [newSet(ID, 'home', ['~'])],
  limits: { present: limits, away: { ...limits, cpu: 1 } },
};

describe('settings', () => {
  it('come back as they were written', (t) => {
    const home = temporaryHome(t);
    assert.deepEqual(readSettings(home), NO_SETTINGS);
    const settings: Settings = {
      policy,
      retentionSince: 5,
      own: {
        sets: [newSet(OTHER, 'work', ['/srv'], { exclude: { all: ['*.o'] } })],
        removed: [],
        values: { watch: false },
      },
    };
    editSettings(home, () => settings);
    assert.deepEqual(readSettings(home), settings);
  });

  it("take the device's value before the policy's, and that before the default", () => {
    assert.equal(valuesOf(NO_SETTINGS)['cpu.present'], 0.2);
    assert.equal(valuesOf({ ...NO_SETTINGS, policy })['cpu.present'], 0.5);
    const own = { ...NO_SETTINGS.own, values: { 'cpu.present': 0.7, 'upload.present': null } };
    assert.equal(valuesOf({ ...NO_SETTINGS, policy, own })['cpu.present'], 0.7);
    assert.equal(valuesOf({ ...NO_SETTINGS, policy, own })['upload.present'], null);
    assert.equal(valuesOf({ ...NO_SETTINGS, policy, own })['cpu.away'], 1);
  });

  it('replace a set of the policy by its edited copy, and order sets by priority', () => {
    const edited = newSet(ID, 'home', ['~', '/srv'], { priority: 9 });
    const own = { ...NO_SETTINGS.own, sets: [edited, newSet(OTHER, 'work', ['/w'], { priority: 2 })] };
    assert.deepEqual(
      setsOf({ ...NO_SETTINGS, policy, own }).map((set) => [set.name, set.roots.length]),
      [
        ['work', 1],
        ['home', 2],
      ],
    );
    assert.deepEqual(setsOf({ ...NO_SETTINGS, policy, own: { ...NO_SETTINGS.own, removed: [ID] } }), []);
    assert.throws(() => findSet({ ...NO_SETTINGS, policy, own }, 'nothing'), { code: 'set_unknown' });
    assert.equal(findSet({ ...NO_SETTINGS, policy, own }, OTHER).name, 'work');
  });

  it("keep to the server's retention, since the server is who retires", () => {
    const retention = { steps: [{ untilDays: null, everyMinutes: 60 }], deletedDays: 5 };
    const strict = { ...policy, sets: [{ ...policy.sets[0]!, retention }] };
    const own = { ...NO_SETTINGS.own, sets: [newSet(ID, 'home', ['~', '/srv']), newSet(OTHER, 'work', ['/w'])] };
    for (const set of setsOf({ ...NO_SETTINGS, policy: strict, own })) assert.deepEqual(set.retention, retention);
  });

  it('are not changed by two at once', (t) => {
    const home = temporaryHome(t);
    const lock = tryLock(join(home.locks, 'settings'));
    assert.ok(lock);
    assert.equal(tryLock(join(home.locks, 'settings')), null);
    lock.release();
    editSettings(home, (settings) => ({ ...settings, own: { ...settings.own, removed: ['x'] } }));
    assert.deepEqual(readSettings(home).own.removed, ['x']);
  });

  it('with a value out of range are damaged, with an unknown one they are read', (t) => {
    const home = temporaryHome(t);
    editSettings(home, (settings) => settings);
    const path = join(home.state, 'settings.json');
    const fields = JSON.parse(readFileSync(path, 'utf8'));
    writeFileSync(path, JSON.stringify({ ...fields, own: { ...fields.own, values: { later: 1 } } }));
    assert.deepEqual(readSettings(home).own.values, {});
    writeFileSync(path, JSON.stringify({ ...fields, own: { ...fields.own, values: { 'cpu.away': 7 } } }));
    assert.throws(() => readSettings(home), { code: 'state_damaged' });
  });
});
