import assert from 'node:assert/strict';
import { createPrivateKey, sign as nodeSign } from 'node:crypto';
import { describe, it } from 'node:test';
import { createArchiveCrypto } from '../crypto-node/archive-crypto.ts';
import {
  type Description,
  decodeSnapshotObject,
  encodeSnapshotObject,
  type SnapshotObject,
} from '../format/snapshot.ts';
import { GOLDEN, GOLDEN_KEYS, golden, goldenValue } from '../format/testing/golden.ts';
import { type DeviceList, openDeviceList } from './device-list.ts';
import { openSnapshot, sealSnapshot } from './snapshot.ts';

const crypto = createArchiveCrypto(GOLDEN_KEYS);
const description = goldenValue<Description>('description.cbor');
const devices = await openDeviceList(golden('device-list.cbor'), GOLDEN.archiveId, [GOLDEN.publicKeys.user]);
const [device] = devices.devices as [DeviceList['devices'][number]];
const seed = Buffer.from(GOLDEN.seeds.device);
const pkcs8 = Buffer.concat([Buffer.from('302e020100300506032b657004220420', 'hex'), seed]);
const key = createPrivateKey({ key: pkcs8, format: 'der', type: 'pkcs8' });
const sign = (message: Uint8Array): Uint8Array => nodeSign(null, message, key);

const fields = {
  archiveId: GOLDEN.archiveId,
  deviceId: device.deviceId,
  setId: new Uint8Array(16).fill(1),
  destinationId: new Uint8Array(16).fill(2),
  sequence: 1,
  deviceTime: 5,
  root: new Uint8Array(32).fill(3),
  parent: null,
  partial: false,
};
const sealed = await sealSnapshot(fields, description, crypto, sign);
const changed = (change: Partial<SnapshotObject>): Uint8Array =>
  encodeSnapshotObject({ ...decodeSnapshotObject(sealed.object), ...change });
const open = (object: Uint8Array, list = devices) => openSnapshot(object, crypto, list);

describe('snapshot', () => {
  it('that a device sealed is verified and says what was put in', async () => {
    const opened = await open(sealed.object);
    assert.deepEqual(Buffer.from(opened.id), Buffer.from(sealed.id));
    assert.equal(opened.envelope.sequence, 1);
    assert.equal(opened.description.deviceName, description.deviceName);
    assert.deepEqual(opened.device, device);
  });

  it('of a removed device stays verifiable', async () => {
    const removed = { ...devices, devices: devices.devices.map((d) => ({ ...d, removed: 1 })) };
    assert.equal((await open(sealed.object, removed)).device.removed, 1);
  });

  it('of a device that is not on the list is refused', async () => {
    await assert.rejects(open(sealed.object, { ...devices, devices: [] }), { code: 'device_unknown' });
  });

  it('whose envelope was changed is refused', async () => {
    const { envelope } = decodeSnapshotObject(sealed.object);
    const at = Buffer.from(envelope).indexOf(Buffer.from(fields.root));
    await assert.rejects(open(changed({ envelope: envelope.with(at, 9) })), { code: 'signature_invalid' });
  });

  it('signed by a device that has no archive keys is refused', async () => {
    await assert.rejects(open(changed({ mac: new Uint8Array(32) })), { code: 'snapshot_mac_invalid' });
  });

  it('with the description of another snapshot is refused', async () => {
    const other = await sealSnapshot({ ...fields, deviceTime: 6 }, description, crypto, sign);
    const { description: frame } = decodeSnapshotObject(other.object);
    await assert.rejects(open(changed({ description: frame })), { code: 'format_invalid' });
  });

  it('of another archive is refused', async () => {
    await assert.rejects(open(sealed.object, { ...devices, archiveId: new Uint8Array(16) }), { code: 'wrong_archive' });
  });
});
