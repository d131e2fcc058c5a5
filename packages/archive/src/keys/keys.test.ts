// Golden key material, made by the second encoder, read by the code that devices and browsers run.

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { createArchiveCrypto } from '../crypto/archive-crypto.ts';
import { createArchiveCrypto as createNodeCrypto } from '../crypto-node/archive-crypto.ts';
import type { DeviceList } from '../format/device-list.ts';
import type { Receipt } from '../format/receipt.ts';
import { LABEL } from '../format/statement.ts';
import { GOLDEN, GOLDEN_KEYS, golden, goldenValue, plain } from '../format/testing/golden.ts';
import type { Tombstone } from '../format/tombstone.ts';
import { combineKeyFiles } from './archive-keys.ts';
import { openDeviceList } from './device-list.ts';
import { formatIdentity, type Identity, parseIdentity, publicIdentity } from './identity.ts';
import { openKeyFile } from './key-file.ts';
import { sign, signingKey } from './signing.ts';
import { openSnapshot } from './snapshot.ts';
import { openReceipt, openTombstone } from './statement.ts';
import { unwrapIdentity } from './wrap.ts';

const TEXT = new TextDecoder().decode(golden('identity.txt'));
const user = (): Promise<Identity> => parseIdentity(TEXT);

describe('golden keys', () => {
  it('the identity file is read, knows its public half, and is written again', async () => {
    const identity = await user();
    assert.deepEqual(plain(publicIdentity(identity)), plain(goldenValue('identity.txt')));
    assert.equal(formatIdentity(identity), TEXT);
  });

  it('the identity comes out of its wraps: with the password, and with the key of a device', async () => {
    const withPassword = await unwrapIdentity(golden('identity-passphrase.age'), { passphrase: GOLDEN.passphrase });
    assert.equal(formatIdentity(withPassword), TEXT);
    const withDevice = await unwrapIdentity(golden('identity-device.age'), { ageIdentity: GOLDEN.deviceAge });
    assert.equal(formatIdentity(withDevice), TEXT);
  });

  it('the password opens in whatever form the keyboard gives its letters', async () => {
    const decomposed = GOLDEN.passphrase.normalize('NFD');
    assert.notEqual(decomposed, GOLDEN.passphrase);
    const identity = await unwrapIdentity(golden('identity-passphrase.age'), { passphrase: decomposed });
    assert.equal(formatIdentity(identity), TEXT);
  });

  it('the key files of both generations make the archive keys', async () => {
    const identity = await user();
    const files = [
      await openKeyFile(golden('key-file-2.age'), identity),
      await openKeyFile(golden('key-file-1.age'), identity),
    ];
    const keys = combineKeyFiles(files);
    assert.deepEqual(plain(keys.contentKeys.get(1)), plain(GOLDEN_KEYS.contentKeys.get(1)));
    assert.deepEqual(plain(keys.contentKeys.get(2)), plain(GOLDEN_KEYS.contentKeys.get(2)));
    const { contentKeys: _, ...rest } = keys;
    const { contentKeys: __, ...expected } = GOLDEN_KEYS;
    assert.deepEqual(plain(rest), plain(expected));
  });

  it('device list, receipt and tombstone verify with the keys that signed them, and with no others', async () => {
    const { user: userKey, server } = GOLDEN.publicKeys;
    const list = await openDeviceList(golden('device-list.cbor'), GOLDEN.archiveId, [userKey]);
    assert.deepEqual(plain(list), plain(goldenValue<DeviceList>('device-list.cbor')));
    const receipt = await openReceipt(golden('receipt.cbor'), [server]);
    assert.deepEqual(plain(receipt), plain(goldenValue<Receipt>('receipt.cbor')));
    const tombstone = await openTombstone(golden('tombstone.cbor'), [userKey, server]);
    assert.deepEqual(plain(tombstone), plain(goldenValue<Tombstone>('tombstone.cbor')));
    await assert.rejects(openReceipt(golden('receipt.cbor'), [userKey]), { code: 'signer_untrusted' });
    await assert.rejects(openTombstone(golden('receipt.cbor'), [server]), { code: 'signature_invalid' });
  });

  it('snapshots verify, with either binding of the archive keys', async () => {
    const devices = await openDeviceList(golden('device-list.cbor'), GOLDEN.archiveId, [GOLDEN.publicKeys.user]);
    for (const name of ['first', 'later']) {
      for (const crypto of [createArchiveCrypto(GOLDEN_KEYS), createNodeCrypto(GOLDEN_KEYS)]) {
        const snapshot = await openSnapshot(golden(`snapshot-${name}.cbor`), crypto, devices);
        assert.deepEqual(plain(snapshot.envelope), plain(goldenValue(`envelope-${name}.cbor`)));
        assert.deepEqual(plain(snapshot.description), plain(goldenValue('description.cbor')));
        assert.deepEqual(plain(snapshot.id), plain(goldenValue<{ id: Uint8Array }>(`snapshot-${name}.cbor`).id));
        assert.equal(snapshot.device.name, 'Ada’s laptop 💻');
      }
    }
  });

  it('signatures come out the same', async () => {
    const { envelope, signature } = goldenValue<{ envelope: Uint8Array; signature: Uint8Array }>('snapshot-first.cbor');
    const key = await signingKey(GOLDEN.seeds.device);
    assert.deepEqual(plain(key.publicKey), plain(GOLDEN.publicKeys.device));
    assert.deepEqual(plain(await sign(key, LABEL.snapshot, envelope)), plain(signature));
  });
});
