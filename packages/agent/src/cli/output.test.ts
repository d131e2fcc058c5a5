import assert from 'node:assert/strict';
import { Writable } from 'node:stream';
import { describe, it } from 'node:test';
import { createOutput } from './output.ts';

const LONG = `/${'folder/'.repeat(2000)}file`;

/** Both streams in one, and what was written to it. */
function screen(isTTY: boolean, json: boolean) {
  const chunks: string[] = [];
  const stream = new Writable({
    write(chunk, _encoding, done) {
      chunks.push(String(chunk));
      done();
    },
  });
  const stdout = Object.assign(stream, { isTTY });
  const out = createOutput({ stdout, stderr: stdout }, { json, plain: true, debug: false, now: Date.now });
  return { out, shown: () => chunks.join('') };
}

function written(isTTY: boolean, json: boolean): string {
  const { out, shown } = screen(isTTY, json);
  out.result({ path: LONG }, () => out.line(LONG));
  out.note(`Left out ${LONG}: vanished`);
  out.error(new Error(`${LONG} is gone`));
  return shown();
}

describe('output', () => {
  it('shortens a path without end in the middle for a screen, and tells how much is left out', () => {
    const lines = written(true, false).trimEnd().split('\n');
    assert.equal(lines.length, 3);
    for (const line of lines) assert.ok(line.length < 2000, `${line.length} characters`);
    assert.match(lines[0] ?? '', /^\/folder\/.* \[\.\.\. \d+ characters \.\.\.\] .*\/folder\/file$/);
    assert.match(lines[1] ?? '', /^Left out \/folder\/.*file: vanished$/);
    assert.match(lines[2] ?? '', /file is gone$/);
  });

  it('gives all of it to a pipe and as JSON', () => {
    assert.equal(written(false, false).split(LONG).length, 4);
    const [document = '', error = ''] = written(true, true).split('\n');
    assert.equal(JSON.parse(document).path, LONG);
    assert.match(JSON.parse(error).error.message, /is gone$/);
    assert.ok(error.includes(LONG));
  });

  it('leaves a path that fits as it is, letters of every script included', () => {
    const line = `/${'é👩'.repeat(400)}`;
    const { out, shown } = screen(true, false);
    out.line(line);
    assert.equal(shown(), `${line}\n`);
  });
});
