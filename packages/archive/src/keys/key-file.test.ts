import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { Encrypter, generateX25519Identity, identityToRecipient } from 'age-encryption';
import { createArchiveCrypto } from '../crypto-node/archive-crypto.ts';
import { encodeKeyFileBody } from '../format/key-file.ts';
import { KIND } from '../format/kinds.ts';
import { LABEL } from '../format/statement.ts';
import { sealToRecipient } from './age-file.ts';
import { combineKeyFiles, generateArchiveKeys, newestGeneration, nextGeneration } from './archive-keys.ts';
import { generateIdentity } from './identity.ts';
import { openKeyFile, sealKeyFile, sealKeyFiles } from './key-file.ts';
import { makeStatement } from './statement.ts';

const random = (target: Uint8Array): Uint8Array => crypto.getRandomValues(target as Uint8Array<ArrayBuffer>);
const NOW = 1_700_000_000_000;
const [user, stranger, page] = [
  await generateIdentity(random),
  await generateIdentity(random),
  await generateIdentity(random),
];
const keys = generateArchiveKeys(random);
const contentKey = keys.contentKeys.get(1) as Uint8Array;
const bodyFor = (recipient: string, change: object = {}) =>
  encodeKeyFileBody({ ...keys, generation: 1, contentKey, recipient, created: NOW, ...change } as never);

describe('key file', () => {
  it('carries the keys of an archive to its recipient', async () => {
    const opened = await openKeyFile(await sealKeyFile(keys, 1, user.recipient, user.signing, NOW), user);
    assert.deepEqual(combineKeyFiles([opened]), keys);
    assert.equal(opened.created, NOW);
  });

  it('does not open for somebody else', async () => {
    const bytes = await sealKeyFile(keys, 1, user.recipient, user.signing, NOW);
    await assert.rejects(openKeyFile(bytes, stranger), { code: 'key_file_unopenable' });
  });

  it('signed by a stranger is refused, although it opens: the store cannot hand out keys of its own', async () => {
    const planted = await sealKeyFile(keys, 1, user.recipient, stranger.signing, NOW);
    await assert.rejects(openKeyFile(planted, user), { code: 'key_file_untrusted' });
    const pinned = await openKeyFile(planted, user, [stranger.signing.publicKey]);
    assert.deepEqual(pinned.signer, stranger.signing.publicKey);
  });

  it('wrapped to a key of the moment is taken from the signer it was told, and from no other', async () => {
    const holder = { ageIdentity: page.ageIdentity, recipient: page.recipient };
    const bytes = await sealKeyFile(keys, 1, page.recipient, user.signing, NOW);
    assert.deepEqual((await openKeyFile(bytes, holder, [user.signing.publicKey])).idKey, keys.idKey);
    await assert.rejects(openKeyFile(bytes, holder), { code: 'key_file_untrusted' });
  });

  it('that names a signer who did not sign it is refused', async () => {
    const lying = { seed: stranger.signing.seed, publicKey: user.signing.publicKey };
    const bytes = await sealKeyFile(keys, 1, user.recipient, lying, NOW);
    await assert.rejects(openKeyFile(bytes, user), { code: 'signature_invalid' });
  });

  it('signed for another purpose is refused', async () => {
    const statement = await makeStatement(LABEL.deviceList, bodyFor(user.recipient), user.signing);
    const bytes = await sealToRecipient(statement, user.recipient);
    await assert.rejects(openKeyFile(bytes, user), { code: 'signature_invalid' });
  });

  it('made for one recipient and wrapped again for another is refused', async () => {
    const statement = await makeStatement(LABEL.keyFile, bodyFor(stranger.recipient), user.signing);
    const bytes = await sealToRecipient(statement, user.recipient);
    await assert.rejects(openKeyFile(bytes, user), { code: 'key_file_mismatch' });
  });

  it('with a classical recipient beside the hybrid one is refused, although it opens', async () => {
    const statement = await makeStatement(LABEL.keyFile, bodyFor(user.recipient), user.signing);
    const encrypter = new Encrypter();
    encrypter.addRecipient(user.recipient);
    encrypter.addRecipient(await identityToRecipient(await generateX25519Identity()));
    await assert.rejects(openKeyFile(await encrypter.encrypt(statement), user), { code: 'recipient_not_hybrid' });
  });

  it('for two hybrid recipients is refused, although it opens', async () => {
    const statement = await makeStatement(LABEL.keyFile, bodyFor(user.recipient), user.signing);
    const encrypter = new Encrypter();
    for (const { recipient } of [user, stranger]) encrypter.addRecipient(recipient);
    await assert.rejects(openKeyFile(await encrypter.encrypt(statement), user), { code: 'format_invalid' });
  });

  it('that is damaged anywhere is refused with a code', async () => {
    const bytes = await sealKeyFile(keys, 1, user.recipient, user.signing, NOW);
    for (let at = 0; at < bytes.length; at += 61) {
      const turned = bytes.with(at, (bytes[at] as number) ^ 1);
      await assert.rejects(openKeyFile(turned, user), { name: 'ArchiveError' }, `byte ${at}`);
    }
    await assert.rejects(openKeyFile(new Uint8Array(100_000), user), { code: 'format_invalid' });
  });

  it('is not made for a generation that is not at hand', async () => {
    await assert.rejects(sealKeyFile(keys, 2, user.recipient, user.signing, NOW), { code: 'generation_unknown' });
  });
});

describe('generations', () => {
  it('seal with the newest and open all: who stays reads everything, who goes reads what was', async () => {
    const text = Buffer.from('before');
    const before = createArchiveCrypto(keys);
    const old = before.seal(KIND.data, before.chunkId(KIND.data, text), text);
    const next = nextGeneration(keys, random);
    const after = createArchiveCrypto(next);
    assert.equal(after.newest, 2);
    assert.deepEqual(Buffer.from(after.open(old).plaintext), text);
    const fresh = after.seal(KIND.data, after.chunkId(KIND.data, text), text);
    assert.throws(() => before.open(fresh), { code: 'generation_unknown' });
    assert.deepEqual(after.chunkId(KIND.data, text), before.chunkId(KIND.data, text));
  });

  it('are put together from the files of a recipient in any order', async () => {
    const three = nextGeneration(nextGeneration(keys, random), random);
    assert.equal(newestGeneration(three), 3);
    const files = await sealKeyFiles(three, user.recipient, user.signing, NOW);
    const opened = await Promise.all(files.map(({ bytes }) => openKeyFile(bytes, user)));
    assert.deepEqual(combineKeyFiles(opened.toReversed()).contentKeys.get(3), three.contentKeys.get(3));
    assert.equal(combineKeyFiles(opened).contentKeys.size, 3);
  });

  it('must agree on all that an archive keeps for life', async () => {
    const file = { ...keys, generation: 1, contentKey, recipient: user.recipient, created: NOW };
    const other = new Uint8Array(32).fill(1);
    for (const change of [
      { archiveId: other.subarray(16) },
      { idKey: other },
      { chunkerKey: other },
      { contentKey: other },
      { dataParams: { ...keys.dataParams, min: 1 } },
      { bundleParams: { ...keys.bundleParams, looseBits: 1 } },
    ])
      assert.throws(() => combineKeyFiles([file, { ...file, ...change }]), { code: 'key_file_mismatch' });
    assert.throws(() => combineKeyFiles([]), { code: 'generation_unknown' });
  });
});
