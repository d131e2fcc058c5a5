import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { type Codes, completed, differences, readCodes, readDocument } from './error-codes.ts';

const DOCUMENT = `# Errors

What they mean.

## archive

Of the engine.

| code | meaning and what to do |
|---|---|
| \`lost\` | Look again. |
| torn | Glue it. |
`;

const archive = (...codes: string[]): Codes =>
  new Map([['archive', new Map(codes.map((code) => [code, `Advice for ${code}: a | b.`]))]]);

describe('docs/errors.md', () => {
  it('explains every error code, and no other', async () => {
    const found = differences(await readCodes(), readDocument());
    assert.ok(found.length === 0, `${found.join('\n')}\n"npm run check -- --fix" completes docs/errors.md`);
  });

  it('may say the codes in another order', () => {
    assert.deepEqual(differences(archive('torn', 'lost'), DOCUMENT), []);
  });

  it('must know a new code', () => {
    const found = differences(archive('torn', 'lost', 'cold'), DOCUMENT);
    assert.deepEqual(found, ['archive: cold is not in the document']);
  });

  it('must forget a removed code', () => {
    assert.deepEqual(differences(archive('torn'), DOCUMENT), ['archive: lost is only in the document']);
  });

  it('must not explain a package without codes, nor a code twice', () => {
    assert.equal(differences(new Map(), DOCUMENT).length, 2);
    const twice = `${DOCUMENT}| torn | Again. |\n`;
    assert.deepEqual(differences(archive('torn', 'lost'), twice), ['archive: torn twice']);
  });

  it('is completed without losing what was written', () => {
    const codes = new Map([...archive('torn', 'cold'), ['agent', new Map([['late', 'Wait.']])]]);
    const document = completed(DOCUMENT, codes);
    assert.deepEqual(differences(codes, document), []);
    assert.equal(completed(document, codes), document);
    for (const kept of ['What they mean.', 'Of the engine.', '| `torn` | Glue it. |', 'Advice for cold: a \\| b.']) {
      assert.ok(document.includes(kept), kept);
    }
    assert.ok(!document.includes('lost'));
  });
});
