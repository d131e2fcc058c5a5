// What is mounted inside a folder, in a mount namespace of our own: only root may make one.

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';

const MODULE = fileURLToPath(new URL('./node-source.ts', import.meta.url));
/** Prints the name and flags of each entry of a folder, and the names in one that is entered. */
const LOOK = `
  import { createSource } from ${JSON.stringify(MODULE)};
  import { rowFlags, rowName, ROW_LENGTH } from ${JSON.stringify(MODULE.replace('node-source.ts', 'rows.ts'))};
  const source = createSource({ exclude: {}, oneFileSystem: false });
  const namesIn = (path) => {
    const { rows, names, count } = source.scan(Buffer.from(path));
    return Array.from({ length: count }, (_, i) => [String(rowName(rows, i * ROW_LENGTH, names)), rowFlags(rows, i * ROW_LENGTH)]);
  };
  console.log(JSON.stringify([namesIn(process.argv[1]), namesIn(process.argv[1] + '/disk')]));
`;
const IN_NAMESPACE = ['--mount', '--propagation', 'private'];
const isPossible = spawnSync('unshare', [...IN_NAMESPACE, 'true']).status === 0;

describe('what is mounted in a folder', {
  skip: !isPossible && 'a mount namespace of one’s own needs root and Linux',
}, () => {
  it('is entered when it holds files, and kept closed when it is the kernel’s', (t) => {
    const dir = mkdtempSync(join(tmpdir(), 'holdfast-mounts-'));
    t.after(() => rmSync(dir, { recursive: true, force: true }));
    for (const name of ['disk', 'kernel']) mkdirSync(join(dir, name));
    const mounts = 'mount -t tmpfs none "$1/disk" && mount -t proc proc "$1/kernel" && echo x > "$1/disk/file"';
    const script = `${mounts} && exec "$2" --input-type=module -e "$3" "$1"`;
    const args = [...IN_NAMESPACE, 'sh', '-c', script, 'sh', dir, process.execPath, LOOK];
    const { stdout, stderr } = spawnSync('unshare', args, { encoding: 'utf8' });
    assert.deepEqual(JSON.parse(stdout || JSON.stringify(stderr)), [
      [
        ['disk', 0],
        ['kernel', 1],
      ],
      [['file', 0]],
    ]);
  });
});
