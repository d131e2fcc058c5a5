import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { CODES } from '@holdfast/archive/errors.ts';
import { inFull, inWords, reasonInWords } from './words.ts';

describe('codes in words', () => {
  it('are sentences about what is the matter', () => {
    assert.equal(inWords('store_full'), 'the store has no space left');
    assert.equal(inFull('store_full'), CODES.store_full);
    assert.equal(reasonInWords('exists'), 'something of this name is there and stays as it is');
    assert.equal(reasonInWords('failed', 'ENAMETOOLONG'), 'name too long');
    assert.equal(reasonInWords('EACCES'), 'permission denied');
    assert.equal(reasonInWords('attributes: EIO'), 'without its attributes: i/o error');
  });

  it('are there for every error of the engine', () => {
    for (const code of Object.keys(CODES)) assert.match(inWords(code), /^[a-z][^_]{9,}[a-z0-9"')`]$/, code);
  });

  it('stay as they are where they say it already, or nobody knows them', () => {
    for (const text of ['socket', 'backup.example.org does not answer', 'toString', 'code_of_the_future'])
      assert.equal(reasonInWords(text), text);
  });
});
