import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { Encrypter } from 'age-encryption';
import fc from 'fast-check';
import { ArchiveError } from '../errors.ts';
import { mutated } from '../format/testing/arbitrary.ts';
import { openWithIdentity, openWithPassphrase, sealToPassphrase } from './age-file.ts';
import { formatIdentity, generateIdentity, parseIdentity, publicIdentity } from './identity.ts';
import { unwrapIdentity, wrapIdentity } from './wrap.ts';

const random = (target: Uint8Array): Uint8Array => crypto.getRandomValues(target as Uint8Array<ArrayBuffer>);
const identity = await generateIdentity(random);
const other = await generateIdentity(random);
const text = formatIdentity(identity);

describe('identity', () => {
  it('comes back from its text, also after an editor changed line ends and added comments', async () => {
    for (const form of [
      text,
      text.replaceAll('\n', '\r\n'),
      `# mine\n\n${text.trim()}`,
      text.split('\n').reverse().join('\n'),
    ])
      assert.deepEqual(await parseIdentity(form), identity);
  });

  it('is another one each time', () => {
    assert.notEqual(other.ageIdentity, identity.ageIdentity);
    assert.notDeepEqual(other.signing.seed, identity.signing.seed);
  });

  const lines = text.split('\n');
  for (const [what, wrong] of [
    ['nothing', ''],
    ['no signing key', lines.slice(0, 2).join('\n')],
    ['no age key', [lines[0], lines[2]].join('\n')],
    ['two signing keys', `${text}${lines[2]}\n`],
    ['an unknown line', `${text}SOMETHING-ELSE\n`],
    [
      'a classical age key',
      text.replace(
        /AGE-SECRET-KEY-PQ-1\S+/,
        'AGE-SECRET-KEY-1QYQSZQGPQYQSZQGPQYQSZQGPQYQSZQGPQYQSZQGPQYQSZQGPQYQSQ6ZQYP',
      ),
    ],
    ['a damaged age key', text.replace(/(AGE-SECRET-KEY-PQ-1\S+)\S/, '$1B')],
    ['a signing key in capitals', text.replace(/HOLDFAST-SIGN-KEY-\w+/, (line) => line.toUpperCase())],
    ['a short signing key', text.replace(/\w\n$/, '\n')],
  ] as const) {
    it(`is refused with ${what}`, () => assert.rejects(parseIdentity(wrong), { code: 'identity_invalid' }));
  }
});

/** A wrap of `text` for several. */
async function wrapForAll(...recipients: readonly string[]): Promise<Uint8Array> {
  const encrypter = new Encrypter();
  for (const recipient of recipients) encrypter.addRecipient(recipient);
  return encrypter.encrypt(text);
}

/** `wrap` with its first stanza twice. Its header no longer proves true, which nobody gets as far as to find out. */
function doubled(wrap: Uint8Array): Uint8Array {
  const [version = '', ...rest] = Buffer.from(wrap).toString('latin1').split('-> ');
  return Buffer.from([version, rest[0]?.split('---')[0] ?? '', ...rest].join('-> '), 'latin1');
}

describe('identity wrap', () => {
  it('gives the identity back to the device it was wrapped for, and to no other', async () => {
    const wrap = await wrapIdentity(identity, { recipient: other.recipient });
    assert.deepEqual(await unwrapIdentity(wrap, other), identity);
    await assert.rejects(unwrapIdentity(wrap, identity), { code: 'wrap_unopenable' });
  });

  it('gives the identity back for the password, and for no other', async () => {
    const wrap = await wrapIdentity(identity, { passphrase: 'correct horse' });
    assert.match(new TextDecoder().decode(wrap.subarray(0, 80)), /^age-encryption.org\/v1\n-> scrypt \S+ 18\n/);
    assert.deepEqual(await unwrapIdentity(wrap, { passphrase: 'correct horse' }), identity);
    await assert.rejects(unwrapIdentity(wrap, { passphrase: 'Correct horse' }), { code: 'passphrase_wrong' });
  });

  it('refuses an identity that the store made up and wrapped to the device', async () => {
    const device = await generateIdentity(random);
    const planted = await wrapIdentity(other, { recipient: device.recipient });
    await assert.rejects(unwrapIdentity(planted, device, publicIdentity(identity)), { code: 'identity_changed' });
    const genuine = await wrapIdentity(identity, { recipient: device.recipient });
    assert.deepEqual(await unwrapIdentity(genuine, device, publicIdentity(identity)), identity);
  });

  it('refuses a wrap that was changed, with a code', async () => {
    const wrap = await wrapIdentity(identity, { recipient: other.recipient });
    await fc.assert(
      fc.asyncProperty(mutated(wrap), async (changed) => {
        if (Buffer.compare(changed, wrap) === 0) return;
        await assert.rejects(openWithIdentity(changed, other.ageIdentity, 'wrap_unopenable'), ArchiveError);
      }),
      { numRuns: 60 },
    );
  });

  it('is not wrapped to a recipient that is not hybrid, or damaged', async () => {
    const classical = 'age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p';
    const damaged = other.recipient.replace(/.$/, (last) => (last === 'q' ? 'p' : 'q'));
    for (const recipient of [classical, damaged])
      await assert.rejects(wrapIdentity(identity, { recipient }), { code: 'recipient_not_hybrid' });
  });

  it('to a device, as every key level has, is refused for two hybrid recipients, although it opens', async () => {
    const wrap = await wrapForAll(other.recipient, identity.recipient);
    await assert.rejects(unwrapIdentity(wrap, other, publicIdentity(identity)), { code: 'format_invalid' });
  });

  it('at level archive-password is refused with anything but one password', async () => {
    const wrap = await wrapIdentity(identity, { passphrase: 'x' });
    await assert.rejects(unwrapIdentity(doubled(wrap), { passphrase: 'x' }), /not for a password alone/);
    const hybrid = await wrapForAll(other.recipient);
    await assert.rejects(unwrapIdentity(hybrid, { passphrase: 'x' }), { code: 'format_invalid' });
  });

  it('for a password is not opened as one for a key, nor the other way round', async () => {
    const wrap = await sealToPassphrase(new Uint8Array(3), 'x');
    await assert.rejects(openWithIdentity(wrap, other.ageIdentity, 'wrap_unopenable'), {
      code: 'recipient_not_hybrid',
    });
    const hybrid = await wrapIdentity(identity, { recipient: other.recipient });
    await assert.rejects(openWithPassphrase(hybrid, 'x'), { code: 'format_invalid' });
  });
});
