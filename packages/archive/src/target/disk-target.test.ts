import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { descriptorTargetContract, fileTargetContract, type OpenTarget } from './contract.ts';
import { createDiskTarget, type DiskTargetOptions } from './disk-target.ts';
import { problemOnWindows } from './windows-names.ts';

const opening = (options: DiskTargetOptions): OpenTarget => {
  return () => {
    const folder = mkdtempSync(join(tmpdir(), 'holdfast-target-'));
    const [root, outside] = [join(folder, 'root'), join(folder, 'outside')];
    mkdirSync(root);
    mkdirSync(outside);
    writeFileSync(join(outside, 'precious'), 'precious');
    const target = createDiskTarget(root, options);
    let closed = false;
    const close = () => {
      if (!closed) target.close();
      closed = true;
    };
    return {
      target,
      root,
      outside,
      close: () => {
        close();
        process.nextTick(() => rmSync(folder, { recursive: true, force: true }));
      },
    };
  };
};

const hasDescriptors = process.platform === 'linux';
fileTargetContract('a target reached by paths', opening({ verifiedPaths: true }));
if (hasDescriptors) {
  fileTargetContract('a target reached by descriptors', opening({}));
  const few = opening({ openDirectories: 1, openFiles: 1 });
  fileTargetContract('a target with one descriptor to spare', few);
  descriptorTargetContract('a target reached by descriptors', opening({}));
  descriptorTargetContract('a target with one descriptor to spare', few);
}

describe('names on Windows', () => {
  it('refuses what would lead out of the directory, into a stream or to a device', () => {
    for (const bad of ['a\\b', '..\\x', 'C:', 'a:stream', 'con', 'NUL.txt', 'lpt1', 'a.', 'a ', 'a?', 'a\u0001', '..'])
      assert.notEqual(problemOnWindows(Buffer.from(bad)), null, bad);
    assert.notEqual(problemOnWindows(Buffer.from([0xff])), null);
    for (const good of ['a.txt', 'console', 'ä', '.hidden', 'a b'])
      assert.equal(problemOnWindows(Buffer.from(good)), null, good);
  });
});
