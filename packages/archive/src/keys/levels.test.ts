import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { allowsWrap, isRaise, KEY_LEVEL_ORDER, type WrapKind } from './levels.ts';

describe('key levels', () => {
  it('allow the wraps of the format document and no others', () => {
    const kinds: WrapKind[] = ['device', 'escrow', 'passphrase'];
    const allowed = KEY_LEVEL_ORDER.map((level) => [level, kinds.filter((kind) => allowsWrap(level, kind))]);
    assert.deepEqual(Object.fromEntries(allowed), {
      account: ['device', 'escrow'],
      'archive-password': ['device', 'passphrase'],
      'custom-key': ['device'],
    });
  });

  it('are raised when somebody is shut out', () => {
    assert.ok(isRaise('account', 'archive-password'));
    assert.ok(isRaise('archive-password', 'custom-key'));
    assert.ok(!isRaise('custom-key', 'account'));
    assert.ok(!isRaise('account', 'account'));
  });
});
