import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { ArchiveError } from '../errors.ts';
import { parseRetentionHolds } from './holds.ts';

const id = 'ab'.repeat(16);

const WRONG: Readonly<Record<string, { readonly json: unknown; readonly names: RegExp }>> = {
  'no list': { json: { deviceId: id }, names: /^holds is no list/ },
  'what is no hold': { json: [id], names: /^holds\[0\] is no object/ },
  'a mistyped key': { json: [{}, { deviceID: id }], names: /^holds\[1\]\.deviceID is unknown; there is snapshotId, / },
  'an id that is none': { json: [{ setId: 'Home' }], names: /^holds\[0\]\.setId is "Home", not an id of 32 / },
  'an id in capitals': { json: [{ deviceId: id.toUpperCase() }], names: /^holds\[0\]\.deviceId is / },
  'a snapshot by its short id': { json: [{ snapshotId: id }], names: /^holds\[0\]\.snapshotId is .* 64 / },
  'a date as text': { json: [{ from: '2026-01-01' }], names: /^holds\[0\]\.from is "2026-01-01", not a time/ },
  'null for no end': { json: [{ expires: null }], names: /^holds\[0\]\.expires is null/ },
  'an end before its beginning': { json: [{ from: 2, to: 1 }], names: /^holds\[0\]\.to is before/ },
};

describe('holds', () => {
  it('are what they say', () => {
    const json = [
      {},
      { snapshotId: id + id, expires: 0 },
      { deviceId: id, setId: id, destinationId: id, from: 1, to: 1 },
    ];
    assert.deepEqual(parseRetentionHolds(json), json);
  });

  for (const [what, { json, names }] of Object.entries(WRONG)) {
    it(`are refused with ${what}, and it is said where`, () => {
      assert.throws(
        () => parseRetentionHolds(json),
        (error) => {
          assert.ok(error instanceof ArchiveError && error.code === 'policy_invalid');
          assert.match(error.message, names);
          return true;
        },
      );
    });
  }
});
