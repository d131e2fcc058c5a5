import assert from 'node:assert/strict';
import { randomFillSync } from 'node:crypto';
import { before, describe, test } from 'node:test';
import { sealToPassphrase, sealToRecipient } from '@holdfast/archive/keys/age-file.ts';
import { emptyDeviceList, signDeviceList, withDevice } from '@holdfast/archive/keys/device-list.ts';
import { generateIdentity, type Identity } from '@holdfast/archive/keys/identity.ts';
import { MemoryStore } from '@holdfast/archive/store/memory.ts';
import { Encrypter, generateX25519Identity, identityToRecipient } from 'age-encryption';
import { listedDeviceKey, putDeviceList, putIdentityWrap, putKeyFile } from './small-objects.ts';

const archiveId = new Uint8Array(16).fill(1);
const KEY_NAME = `00001-${'ab'.repeat(16)}.age`;
const WRAP_NAME = `${'ab'.repeat(16)}.age`;
const plaintext = Buffer.from('keys');

const code = (wanted: string) => (error: unknown) => {
  assert.equal((error as { code?: string }).code, wanted, String(error));
  return true;
};

describe('small objects of an archive', () => {
  let identity: Identity;
  before(async () => {
    identity = await generateIdentity((target) => randomFillSync(target));
  });

  test('a key file is added once, and never replaced', async () => {
    const blobs = new MemoryStore();
    const file = await sealToRecipient(plaintext, identity.recipient);
    await putKeyFile(blobs, archiveId, KEY_NAME, file);
    await putKeyFile(blobs, archiveId, KEY_NAME, file);
    const other = await sealToRecipient(plaintext, identity.recipient);
    await assert.rejects(putKeyFile(blobs, archiveId, KEY_NAME, other), code('conflict'));
    const [stored] = await Array.fromAsync(blobs.list(''));
    assert.deepEqual(await blobs.get(stored?.name ?? ''), new Uint8Array(file));
  });

  test('a key file with a recipient that is not hybrid, or with two, is kept out', async () => {
    const blobs = new MemoryStore();
    const classical = await identityToRecipient(await generateX25519Identity());
    const encrypted = async (...recipients: string[]) => {
      const encrypter = new Encrypter();
      for (const recipient of recipients) encrypter.addRecipient(recipient);
      return encrypter.encrypt(plaintext);
    };
    const refuses = async (file: Uint8Array) =>
      assert.rejects(putKeyFile(blobs, archiveId, KEY_NAME, file), code('invalid_request'));
    await refuses(await encrypted(classical));
    await refuses(await encrypted(identity.recipient, identity.recipient));
    await refuses(Buffer.from('age-encryption.org/v1\n'));
    await refuses(new Uint8Array(0));
  });

  test('names outside the format are refused', async () => {
    const blobs = new MemoryStore();
    const file = await sealToRecipient(plaintext, identity.recipient);
    for (const name of ['x.age', '../../keys', `00001-${'AB'.repeat(16)}.age`, WRAP_NAME])
      await assert.rejects(putKeyFile(blobs, archiveId, name, file), code('blob_name_invalid'), name);
    await assert.rejects(putIdentityWrap(blobs, archiveId, KEY_NAME, file), code('blob_name_invalid'));
  });

  test('a new wrap leaves the one before; a passphrase belongs under its own name only', async () => {
    const blobs = new MemoryStore();
    const sealed = () => sealToRecipient(plaintext, identity.recipient);
    const [first, second] = [await sealed(), await sealed()];
    for (const wrap of [first, second]) await putIdentityWrap(blobs, archiveId, WRAP_NAME, wrap);
    const stored = await Array.fromAsync(blobs.list(''), ({ name }) => blobs.get(name));
    assert.deepEqual(stored, [new Uint8Array(second), new Uint8Array(first)]);
    const passphrase = await sealToPassphrase(plaintext, 'correct horse');
    await putIdentityWrap(blobs, archiveId, 'passphrase.age', passphrase);
    await assert.rejects(putIdentityWrap(blobs, archiveId, WRAP_NAME, passphrase), code('invalid_request'));
    await assert.rejects(putIdentityWrap(blobs, archiveId, 'passphrase.age', second), code('invalid_request'));
  });

  const listOf = (counter: number, ...devices: number[]) => {
    const added = { recipient: identity.recipient, name: 'laptop', added: 5 };
    const list = devices.reduce(
      (all, n) =>
        withDevice(all, { ...added, deviceId: new Uint8Array(16).fill(n), publicKey: new Uint8Array(32).fill(n) }),
      emptyDeviceList(archiveId),
    );
    return signDeviceList({ ...list, counter }, identity.signing);
  };

  test('a device list is added when its counter grows, and the newest says a device’s key', async () => {
    const blobs = new MemoryStore();
    const device = new Uint8Array(16).fill(2);
    assert.equal(await listedDeviceKey(blobs, archiveId, device), null);
    const first = await listOf(1, 1);
    await putDeviceList(blobs, archiveId, 1, first);
    await putDeviceList(blobs, archiveId, 1, first);
    await putDeviceList(blobs, archiveId, 5, await listOf(5, 1, 2));
    await putDeviceList(blobs, archiveId, 1, first);
    assert.deepEqual(await listedDeviceKey(blobs, archiveId, device), new Uint8Array(32).fill(2));
    for (const counter of [1, 3, 5])
      await assert.rejects(putDeviceList(blobs, archiveId, counter, await listOf(counter, 9)), code('conflict'));
  });

  test('a device list cannot use up the counters', async () => {
    const blobs = new MemoryStore();
    const last = 9_999_999_999;
    await assert.rejects(putDeviceList(blobs, archiveId, last, await listOf(last, 1)), code('invalid_request'));
    await putDeviceList(blobs, archiveId, 3, await listOf(3, 1));
    await assert.rejects(putDeviceList(blobs, archiveId, 68, await listOf(68, 1)), code('invalid_request'));
    await putDeviceList(blobs, archiveId, 67, await listOf(67, 1));
  });

  test('a device list that is not what it says is kept out', async () => {
    const blobs = new MemoryStore();
    const list = await listOf(2, 1);
    const refuses = (bytes: Uint8Array, counter = 2, archive = archiveId) =>
      assert.rejects(putDeviceList(blobs, archive, counter, bytes), code('invalid_request'));
    await refuses(list, 3);
    await refuses(list, 2, new Uint8Array(16).fill(9));
    await refuses(list.subarray(1));
    const forged = list.slice();
    const at = Buffer.from(forged).indexOf('laptop');
    forged[at] = 'L'.charCodeAt(0);
    await refuses(forged);
  });
});
