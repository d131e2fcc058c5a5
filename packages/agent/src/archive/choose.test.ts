import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { choosePoints, type Wanted } from './choose.ts';
import type { Snapshot } from './snapshots.ts';

const ascii = (text: string) => new TextEncoder().encode(text);

function snapshot(
  id: string,
  at: number,
  changes: { set?: string; device?: string; partial?: boolean; paths?: string[] } = {},
): Snapshot {
  const { set = 'home', device = 'd1', partial = false, paths = ['/home/ada'] } = changes;
  return {
    id: id.padEnd(64, '0'),
    device: { id: device, name: device },
    set: { id: `id of ${set}`, name: set },
    destination: '',
    sequence: at,
    at,
    receivedAt: at,
    deviceTime: at,
    partial,
    root: new Uint8Array(32),
    problems: [],
    description: {
      deviceName: device,
      setName: set,
      paths: paths.map(ascii),
      counts: { files: 0, directories: 0, others: 0, bytes: 0 },
      agentVersion: '',
      started: 0,
      skipped: [],
      skippedCount: 0,
      os: '',
    },
  };
}

const choose = (snapshots: Snapshot[], wanted: Partial<Wanted>) =>
  choosePoints(snapshots, { paths: [], ...wanted }).map(({ snapshot: { id }, paths }) => [
    id.replace(/0+$/, ''),
    ...paths,
  ]);

const HISTORY = [
  snapshot('aaaa1', 10),
  snapshot('bbbb1', 20),
  snapshot('cccc1', 30, { set: 'work', paths: ['/srv/work'] }),
  snapshot('dddd1', 40, { device: 'd2' }),
];

describe('the snapshot that is meant', () => {
  it('is the newest of each set of the device', () => {
    assert.deepEqual(choose(HISTORY, { device: 'd1' }), [['cccc1'], ['bbbb1']]);
    assert.deepEqual(choose(HISTORY, { device: 'd1', set: 'home' }), [['bbbb1']]);
    assert.deepEqual(choose(HISTORY, {}), [['dddd1'], ['cccc1'], ['bbbb1']]);
  });

  it('is the newest up to a time', () => {
    assert.deepEqual(choose(HISTORY, { device: 'd1', at: 19 }), [['aaaa1']]);
    assert.throws(() => choose(HISTORY, { at: 9 }), { code: 'snapshot_none' });
  });

  it('is of a set that exists; one that is configured may have none yet', () => {
    const none = { device: 'd2', set: 'work' };
    assert.throws(() => choose(HISTORY, none), { code: 'set_unknown', message: /"work"; there is "home"\./ });
    assert.throws(() => choose(HISTORY, { ...none, ownSets: [{ id: 'w', name: 'work' }] }), { code: 'snapshot_none' });
  });

  it('is the one whose selection holds the path', () => {
    const paths = ['srv/work/a', 'home/ada/x', 'home/ada/y'];
    assert.deepEqual(choose(HISTORY, { device: 'd1', paths }), [
      ['cccc1', 'srv/work/a'],
      ['bbbb1', 'home/ada/x', 'home/ada/y'],
    ]);
    assert.deepEqual(choose(HISTORY, { device: 'd1', paths: ['home'] }), [['bbbb1', 'home']]);
    assert.deepEqual(
      choose(HISTORY, { device: 'd1', paths: ['home/adam'] }),
      [['cccc1', 'home/adam']],
      'to be told as missing',
    );
  });

  it('is a whole one where there is one', () => {
    const long = [snapshot('aaaa1', 10, { partial: true }), snapshot('bbbb1', 20, { partial: true })];
    assert.deepEqual(choose(long, {}), [['bbbb1']]);
    assert.deepEqual(choose([snapshot('eeee1', 5), ...long], {}), [['eeee1']]);
    assert.deepEqual(choose([...long, snapshot('eeee1', 25)], {}), [['eeee1']]);
  });

  it('may be named by the first digits of its id, whatever else was said', () => {
    assert.deepEqual(choose(HISTORY, { id: 'DDDD', device: 'd1' }), [['dddd1']]);
    assert.throws(() => choose(HISTORY, { id: 'ffff' }), { code: 'snapshot_unknown' });
    assert.throws(() => choose([...HISTORY, snapshot('aaaa2', 50)], { id: 'aaaa' }), { code: 'snapshot_ambiguous' });
  });
});
