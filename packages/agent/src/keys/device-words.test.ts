import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { deviceWords, type Introduction, sameWords, wordRows } from './device-words.ts';

const bytes = (length: number, value: number) => new Uint8Array(length).fill(value);

const INTRODUCTION: Introduction = {
  archiveId: bytes(16, 1),
  identity: { publicKey: bytes(32, 2), recipient: 'age1pq1identity' },
  device: { id: bytes(16, 3), publicKey: bytes(32, 4), recipient: 'age1pq1device' },
  nonce: bytes(32, 5),
};
const WORDS = deviceWords(INTRODUCTION);

describe('the words of two devices', () => {
  it('are 12, the same on both, as docs/protocol.md makes them', () => {
    assert.equal(WORDS, 'ticket neutral crystal school rent pupil border hub fork rather salmon duck');
    assert.equal(deviceWords(structuredClone(INTRODUCTION)), WORDS);
  });

  it('change with everything that a server between the two could exchange', () => {
    const { identity, device } = INTRODUCTION;
    const others: Introduction[] = [
      { ...INTRODUCTION, archiveId: bytes(16, 9) },
      { ...INTRODUCTION, nonce: bytes(32, 9) },
      { ...INTRODUCTION, identity: { ...identity, publicKey: bytes(32, 9) } },
      { ...INTRODUCTION, identity: { ...identity, recipient: 'age1pq1other' } },
      { ...INTRODUCTION, device: { ...device, id: bytes(16, 9) } },
      { ...INTRODUCTION, device: { ...device, publicKey: bytes(32, 9) } },
      { ...INTRODUCTION, device: { ...device, recipient: 'age1pq1other' } },
    ];
    assert.equal(new Set([WORDS, ...others.map(deviceWords)]).size, others.length + 1);
  });

  it('are known again however they are typed, and a slip is not taken for an attack', () => {
    assert.ok(sameWords(WORDS, WORDS));
    assert.ok(sameWords(WORDS, wordRows(WORDS).join('\n').toUpperCase()));
    assert.ok(!sameWords(WORDS, deviceWords({ ...INTRODUCTION, nonce: bytes(32, 9) })));
    for (const typed of [
      '',
      'yes',
      WORDS.split(' ').slice(1).join(' '),
      `${WORDS} zoo`,
      WORDS.replace(/^\w+/, 'holdfast'),
    ])
      assert.throws(() => sameWords(WORDS, typed), { code: 'words_invalid' });
  });
});
