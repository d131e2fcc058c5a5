import assert from 'node:assert/strict';
import { createPrivateKey, sign } from 'node:crypto';
import { describe, it } from 'node:test';
import { createArchiveCrypto } from '../crypto-node/archive-crypto.ts';
import { GOLDEN, GOLDEN_KEYS, golden } from '../format/testing/golden.ts';
import { openDeviceList } from '../keys/device-list.ts';
import { openSnapshot } from '../keys/snapshot.ts';
import { lossesAmong, type Skip } from './skip.ts';
import { makeSnapshot } from './snapshot.ts';

const crypto = createArchiveCrypto(GOLDEN_KEYS);
const devices = await openDeviceList(golden('device-list.cbor'), GOLDEN.archiveId, [GOLDEN.publicKeys.user]);
const pkcs8 = Buffer.concat([Buffer.from('302e020100300506032b657004220420', 'hex'), Buffer.from(GOLDEN.seeds.device)]);
const key = createPrivateKey({ key: pkcs8, format: 'der', type: 'pkcs8' });

const skips = (count: number, reason: string): Skip[] =>
  Array.from({ length: count }, (_, i) => ({ path: Buffer.from(`/${reason}-${i}`), reason }));

/** What a snapshot lists of these, and how many it left out. */
async function listed(skipped: readonly Skip[]) {
  const { object } = await makeSnapshot({
    options: {
      keys: GOLDEN_KEYS,
      sign: (message) => sign(null, message, key),
      deviceId: devices.devices[0]!.deviceId,
      deviceName: 'laptop',
      setId: new Uint8Array(16),
      setName: 'home',
      destinationId: new Uint8Array(16),
      agentVersion: '',
      now: () => 0,
    },
    roots: [],
    crypto,
    root: new Uint8Array(32),
    parent: null,
    totals: { files: 0, directories: 0, others: 0, bytes: 0 },
    skipped,
    started: 0,
    partial: false,
  });
  return (await openSnapshot(object, crypto, devices)).description;
}

describe('what a snapshot lists of the entries left out', () => {
  it('tells how many are missing from it, however many sockets there are', async () => {
    const cases = [
      [skips(1500, 'socket'), 0],
      [[...skips(1500, 'socket'), ...skips(3, 'EACCES')], 3],
      [[...skips(2, 'EACCES'), ...skips(3, 'socket')], 2],
      [skips(7, 'EACCES'), 7],
    ] as const;
    for (const [skipped, losses] of cases) {
      const description = await listed(skipped);
      assert.equal(description.skippedCount, skipped.length);
      assert.equal(lossesAmong(description.skipped, description.skippedCount), losses);
    }
  });

  it('passes nothing over where the list is too short to tell', async () => {
    const { skipped, skippedCount } = await listed([...skips(5, 'socket'), ...skips(1200, 'EACCES')]);
    assert.equal(lossesAmong(skipped, skippedCount), 1205);
  });
});
