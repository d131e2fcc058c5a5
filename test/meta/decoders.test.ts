import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { DECODERS, NOT_HOSTILE } from '../hostile/decoders.ts';
import { decodersIn, missingDecoders } from './decoders.ts';
import { isSuite, isTest, readFiles } from './source-files.ts';

const inFile = (text: string) => decodersIn({ path: 'packages/archive/src/format/a.ts', text });

describe('the registry of decoders', () => {
  const found = readFiles('packages/*/src/**/*.ts')
    .filter(({ path }) => !isTest(path) && !isSuite(path))
    .flatMap(decodersIn);
  const registered = new Set(DECODERS.flatMap(({ of }) => of));

  it('holds everything that reads what others may have made', () => {
    assert.deepEqual(missingDecoders(found, registered, NOT_HOSTILE), []);
  });

  it('is of decoders that exist', async () => {
    for (const name of registered) {
      const [path = '', what = ''] = name.split(' ');
      const exports = (await import(`@holdfast/${path}`)) as Record<string, unknown>;
      assert.equal(typeof exports[what], 'function', name);
    }
  });

  it('finds functions, constants and classes by their names, and nothing else', () => {
    assert.deepEqual(
      inFile(`export function decodeThing(b) {} export const readIt = (b) => b; export class ThingReader {}
        export async function* parseAll() {} export const readLimit = 5; function decodeInner() {}
        export class Reading {} export function readerOf() {} export function decode() {}`),
      ['decodeThing', 'readIt', 'ThingReader', 'parseAll', 'decode'].map((name) => `archive/format/a.ts ${name}`),
    );
  });

  it('says what is missing, and which exception nothing needs', () => {
    assert.deepEqual(
      missingDecoders(['a decodeA', 'a decodeB', 'a decodeC'], new Set(['a decodeA']), {
        'a decodeB': 'x',
        'a decodeX': 'x',
      }),
      [
        'a decodeC is not in test/hostile/decoders.ts: add it, or say in NOT_HOSTILE why not',
        'a decodeX is an exception that nothing needs',
      ],
    );
  });
});
