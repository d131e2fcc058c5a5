import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import {
  deviceOf,
  emptyDeviceList,
  newestDeviceList,
  openDeviceList,
  signDeviceList,
  withDevice,
  withoutDevice,
} from './device-list.ts';
import { generateIdentity } from './identity.ts';

const random = (target: Uint8Array): Uint8Array => crypto.getRandomValues(target as Uint8Array<ArrayBuffer>);
const ARCHIVE = new Uint8Array(16).fill(5);
const [user, stranger, laptop] = [
  await generateIdentity(random),
  await generateIdentity(random),
  await generateIdentity(random),
];
const trusted = [user.signing.publicKey];
const device = (fill: number, name: string) => ({
  deviceId: new Uint8Array(16).fill(fill),
  publicKey: laptop.signing.publicKey,
  recipient: laptop.recipient,
  name,
  added: fill,
});

const one = withDevice(emptyDeviceList(ARCHIVE), device(2, 'laptop'));
const two = withDevice(one, device(1, 'desktop'));
const three = withoutDevice(two, device(2, '').deviceId, 99);

const named = (...lists: Uint8Array[]) => lists.map((bytes, i) => ({ name: `${i}`, bytes }));

describe('device list', () => {
  it('grows by one with each change and keeps removed devices', async () => {
    assert.deepEqual(
      [one, two, three].map((list) => list.counter),
      [1, 2, 3],
    );
    const opened = await openDeviceList(await signDeviceList(three, user.signing), ARCHIVE, trusted);
    assert.deepEqual(
      opened.devices.map(({ name, removed }) => [name, removed]),
      [
        ['desktop', null],
        ['laptop', 99],
      ],
    );
    assert.equal(deviceOf(opened, device(2, '').deviceId).removed, 99);
  });

  it('replaces a device that enrols again', () => {
    const again = withDevice(three, device(2, 'laptop, new disk'));
    assert.deepEqual(
      again.devices.map(({ name, removed }) => [name, removed]),
      [
        ['desktop', null],
        ['laptop, new disk', null],
      ],
    );
  });

  it('does not know a device that is not on it', () => {
    assert.throws(() => deviceOf(two, new Uint8Array(16)), { code: 'device_unknown' });
  });

  it('is refused when a stranger signed it, when it is of another archive, or older than one seen', async () => {
    const signed = await signDeviceList(two, user.signing);
    await assert.rejects(openDeviceList(await signDeviceList(two, stranger.signing), ARCHIVE, trusted), {
      code: 'signer_untrusted',
    });
    await assert.rejects(openDeviceList(signed, new Uint8Array(16), trusted), { code: 'wrong_archive' });
    await assert.rejects(openDeviceList(signed, ARCHIVE, trusted, 3), { code: 'device_list_older' });
    assert.equal((await openDeviceList(signed, ARCHIVE, trusted, 2)).counter, 2);
  });

  it('is found among older ones and nonsense, and the nonsense is told', async () => {
    const stored = named(
      await signDeviceList(one, user.signing),
      await signDeviceList(three, user.signing),
      await signDeviceList(two, user.signing),
    );
    const nonsense = named(new Uint8Array(3), await signDeviceList({ ...three, counter: 9 }, stranger.signing));
    const { list, refused } = await newestDeviceList([...nonsense, ...stored], ARCHIVE, trusted, 2);
    assert.equal(list.counter, 3);
    assert.deepEqual(
      refused.map(({ error }) => error.code),
      ['format_invalid', 'signer_untrusted'],
    );
    await assert.rejects(newestDeviceList(stored.slice(0, 1), ARCHIVE, trusted, 2), { code: 'device_list_older' });
    await assert.rejects(newestDeviceList(nonsense, ARCHIVE, trusted), { code: 'device_list_missing' });
  });
});
