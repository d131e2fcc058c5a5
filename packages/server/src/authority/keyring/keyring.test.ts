import assert from 'node:assert/strict';
import { randomBytes, X509Certificate } from 'node:crypto';
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { connect } from 'node:tls';
import { ProtocolError } from '@holdfast/protocol/errors.ts';
import { Encrypter } from 'age-encryption';
import fc from 'fast-check';
import { ServerError } from '../../errors.ts';
import { newAgeKey, openWith, sealTo } from './age.ts';
import { capabilityVerifier, signCapability } from './capability-signer.ts';
import { fingerprintOf } from './certificates.ts';
import { identitiesFromWraps, openableWrap, rewrapIdentity, wrapName } from './escrow.ts';
import { createKeystore, FILES, openKeystore, readRecovery, serverCertificate } from './keystore.ts';
import { confirmKit, makeKit, openKit } from './kit.ts';
import { newSigningKey } from './signing-key.ts';
import { newWords, normalizeWords, showWords } from './words.ts';

const DAY = 86_400_000;
const NOW = Date.UTC(2026, 0, 1);
const directory = mkdtempSync(join(tmpdir(), 'holdfast-keyring-'));
after(() => rmSync(directory, { recursive: true, force: true }));
const keystore = await createKeystore(join(directory, 'keystore'), NOW);
const kitFile = join(directory, 'kit.age');
const words = await makeKit(keystore, kitFile, { now: NOW, random: randomBytes, scryptWork: 10 });
const refusedWith = (code: string) => (e: unknown) =>
  (e instanceof ServerError || e instanceof ProtocolError) && e.code === code;

test('the keystore opens again as it was made, and only its own user may enter', async () => {
  assert.deepEqual(await openKeystore(keystore.folder), keystore);
  if (process.platform === 'win32') return;
  assert.equal(statSync(keystore.folder).mode & 0o777, 0o700);
  for (const name of readdirSync(keystore.folder)) {
    assert.equal(statSync(join(keystore.folder, name)).mode & 0o777, 0o600, name);
  }
});

test('a keystore that lacks a file is reported, not replaced', async () => {
  const folder = join(directory, 'damaged');
  await createKeystore(folder, NOW);
  rmSync(join(folder, FILES.escrow));
  await assert.rejects(openKeystore(folder), refusedWith('keystore_damaged'));
  await assert.rejects(openKeystore(join(directory, 'nowhere')), refusedWith('keystore_missing'));
});

test('the certificate is kept while it is good and renewed when it ends soon or lacks a name', async () => {
  const names = ['localhost', '127.0.0.1', '::1', 'backup.example.org'];
  const made = await serverCertificate(keystore, names, NOW);
  assert.equal(made.renewed, true);
  assert.deepEqual(await serverCertificate(keystore, names, NOW + DAY), { ...made, renewed: false });
  const later = await serverCertificate(keystore, names, NOW + 300 * DAY);
  assert.equal(later.renewed, true);
  assert.ok(new X509Certificate(later.certificate).validToDate.getTime() > NOW + 600 * DAY);
  const more = await serverCertificate(keystore, [...names, '192.0.2.7'], NOW + 300 * DAY);
  assert.equal(more.renewed, true);
  assert.equal(new X509Certificate(more.certificate).checkIP('192.0.2.7'), '192.0.2.7');
  assert.ok(new X509Certificate(keystore.ca.certificate).validToDate.getTime() > NOW + 19 * 365 * DAY);
});

test('a client that trusts the CA alone reaches the server by any of its names', async () => {
  const { certificate, key } = await serverCertificate(keystore, ['localhost', '127.0.0.1'], Date.now());
  const server = createServer({ cert: certificate, key }, (_, reply) => reply.end('hello')).listen(0, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  const { port } = server.address() as AddressInfo;
  for (const servername of ['localhost', '127.0.0.1']) {
    const options = { port, host: '127.0.0.1', ca: keystore.ca.certificate };
    const socket = connect(servername === 'localhost' ? { ...options, servername } : options);
    await new Promise((resolve, reject) => socket.once('secureConnect', resolve).once('error', reject));
    assert.equal(socket.authorized, true);
    const sent = socket.getPeerCertificate(true).issuerCertificate;
    assert.equal(sent.fingerprint256.replaceAll(':', '').toLowerCase(), fingerprintOf(keystore.ca.certificate));
    socket.destroy();
  }
  await new Promise((resolve) => server.close(resolve));
});

test('words survive how people type them, and a slip is found', () => {
  fc.assert(
    fc.property(fc.uint8Array({ minLength: 16, maxLength: 16 }), (entropy) => {
      const made = newWords(() => entropy);
      assert.equal(made.split(' ').length, 12);
      assert.equal(normalizeWords(made), made);
      assert.equal(normalizeWords(showWords(made).toUpperCase()), made);
    }),
  );
  assert.equal(normalizeWords('abandon '.repeat(12)), null);
  assert.equal(normalizeWords(''), null);
});

test('the kit opens with its words to everything it promises, and with no others', async () => {
  const kit = await openKit(kitFile, words);
  assert.equal(kit.escrowIdentity, keystore.escrow.identity);
  assert.equal(fingerprintOf(kit.caCertificate), keystore.ca.fingerprint);
  assert.equal(kit.caKey, keystore.ca.key);
  const recovery = await readRecovery(keystore.folder);
  const sealed = await sealTo(recovery?.recipient ?? '', Buffer.from('a dump'));
  assert.equal(Buffer.from(await openWith(kit.recoveryIdentity, sealed)).toString(), 'a dump');
  await assert.rejects(openKit(kitFile, newWords(randomBytes)), refusedWith('kit_wrong_words'));
  await assert.rejects(openKit(kitFile, 'not my words'), refusedWith('kit_wrong_words'));
});

test('neither the recovery key nor the director root key lies in the keystore', async () => {
  const kit = await openKit(kitFile, words);
  const stored = readdirSync(keystore.folder).map((name) => readFileSync(join(keystore.folder, name), 'utf8'));
  for (const secret of [kit.recoveryIdentity, kit.directorRootKey, words]) {
    assert.ok(stored.every((text) => !text.includes(secret.trim())));
  }
});

test('a damaged kit is told from wrong words', async () => {
  const bytes = readFileSync(kitFile);
  const damaged = join(directory, 'damaged.age');
  bytes[bytes.length - 1] = (bytes[bytes.length - 1] ?? 0) ^ 1;
  writeFileSync(damaged, bytes);
  await assert.rejects(openKit(damaged, words), refusedWith('kit_damaged'));
  await assert.rejects(openKit(join(directory, 'none.age'), words), refusedWith('kit_damaged'));
});

test('confirming notes that the words are kept; a kit of another server does not pass', async () => {
  assert.equal((await readRecovery(keystore.folder))?.confirmed, null);
  const other = await createKeystore(join(directory, 'other'), NOW);
  const otherKit = join(directory, 'other.age');
  const otherWords = await makeKit(other, otherKit, { now: NOW, random: randomBytes, scryptWork: 10 });
  await assert.rejects(confirmKit(keystore, otherKit, otherWords, NOW + 1), refusedWith('kit_foreign'));
  await confirmKit(keystore, kitFile, words, NOW + 1);
  assert.equal((await readRecovery(keystore.folder))?.confirmed, NOW + 1);
});

test('a new kit leaves the file of the one before, which older dumps need', async () => {
  const store = await createKeystore(join(directory, 'renewed'), NOW);
  const file = join(directory, 'renewed.age');
  const options = { now: NOW, random: randomBytes, scryptWork: 10 };
  const first = await makeKit(store, file, options);
  const second = await makeKit(store, file, options);
  const older = readdirSync(directory).find((name) => name.startsWith('renewed.age.until-')) ?? '';
  const [before, now] = [await openKit(join(directory, older), first), await openKit(file, second)];
  assert.notEqual(before.recoveryIdentity, now.recoveryIdentity);
  assert.equal(before.escrowIdentity, now.escrowIdentity);
  await assert.rejects(confirmKit(store, join(directory, older), first, NOW), refusedWith('kit_foreign'));
});

test('escrow opens a wrap only to the identity that was registered, and wraps it to a device', async () => {
  const age = await newAgeKey();
  const seed = newSigningKey();
  const { d = '' } = seed.key.export({ format: 'jwk' });
  const text = `# holdfast identity 1\n${age.identity}\nHOLDFAST-SIGN-KEY-${Buffer.from(d, 'base64url').toString('hex')}\n`;
  const identity = { recipient: age.recipient, signingKey: seed.publicKey };
  const wrap = await sealTo(keystore.escrow.recipient, Buffer.from(text));
  assert.equal(await openableWrap(keystore.escrow, [Buffer.from('junk'), wrap], identity), wrap);
  const device = await newAgeKey();
  const rewrapped = await rewrapIdentity(keystore.escrow, wrap, identity, device.recipient);
  assert.equal(Buffer.from(await openWith(device.identity, rewrapped)).toString(), text);
  const stranger = { ...identity, signingKey: newSigningKey().publicKey };
  await assert.rejects(openableWrap(keystore.escrow, [wrap], stranger), refusedWith('key_wrap_unusable'));
  await assert.rejects(openableWrap(device, [wrap], identity), refusedWith('key_wrap_unusable'));
  await assert.rejects(
    openableWrap(keystore.escrow, [wrap.subarray(0, 99)], identity),
    refusedWith('key_wrap_unusable'),
  );
  const others = await Promise.all([device, await newAgeKey()].map((key) => sealTo(key.recipient, Buffer.from(text))));
  const again = await sealTo(keystore.escrow.recipient, Buffer.from(text));
  const { escrowIdentity } = await openKit(kitFile, words);
  const found = await identitiesFromWraps(escrowIdentity, [...others, wrap, again]);
  assert.deepEqual(found.map(String), [[...Buffer.from(text)].join()]);
  await assert.rejects(identitiesFromWraps(keystore.escrow.identity, others), refusedWith('kit_opens_none'));
  assert.match(wrapName(age.recipient), /^[0-9a-f]{32}\.age$/);
  const encrypter = new Encrypter();
  for (const { recipient } of [keystore.escrow, device]) encrypter.addRecipient(recipient);
  const forTwo = await encrypter.encrypt(text);
  await assert.rejects(openableWrap(keystore.escrow, [forTwo], identity), refusedWith('key_wrap_unusable'));
  await assert.rejects(identitiesFromWraps(keystore.escrow.identity, [forTwo]), refusedWith('kit_opens_none'));
});

const request = {
  issuer: keystore.serverId,
  device: { id: '0'.repeat(32), publicKey: '1'.repeat(64) },
  archive: '2'.repeat(32),
  destination: '3'.repeat(32),
  user: '4'.repeat(32),
} as const;

test('a capability says what it allows, for ten minutes and to one authority', async () => {
  const { token, expires } = await signCapability(keystore.capability, { ...request, purpose: 'restore' }, NOW);
  assert.equal(expires, NOW + 600_000);
  const authority = { serverId: keystore.serverId, publicKey: keystore.capability.publicKey };
  const claims = await capabilityVerifier(authority, () => NOW + 599_000)(token);
  assert.deepEqual(claims.rights, ['read']);
  assert.equal(claims.archive, request.archive);
  assert.equal(claims.key, request.device.publicKey);
  await assert.rejects(capabilityVerifier(authority, () => NOW + 700_000)(token), refusedWith('capability_expired'));
  const stranger = { ...authority, publicKey: newSigningKey().publicKey };
  await assert.rejects(capabilityVerifier(stranger, () => NOW)(token), refusedWith('capability_invalid'));
  const elsewhere = { ...authority, serverId: 'f'.repeat(32) };
  await assert.rejects(capabilityVerifier(elsewhere, () => NOW)(token), refusedWith('capability_invalid'));
  await assert.rejects(capabilityVerifier(authority, () => NOW)(`${token}x`), refusedWith('capability_invalid'));
});

test('a backup capability writes too', async () => {
  const { token } = await signCapability(keystore.capability, { ...request, purpose: 'backup' }, NOW);
  const authority = { serverId: keystore.serverId, publicKey: keystore.capability.publicKey };
  assert.deepEqual((await capabilityVerifier(authority, () => NOW)(token)).rights, ['read', 'write']);
});
