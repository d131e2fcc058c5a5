// What this process may do in the system's temporary folder. Tests ask for no more: root in a container often has neither devices nor all
// owners, and not every file system has extended attributes.

import { chownSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { makeNode, setXattr } from '../../system/native.ts';

export type Abilities = {
  /** Give files to anybody. */
  readonly owners: boolean;
  readonly devices: boolean;
  readonly xattrs: boolean;
};

function tried(attempt: () => unknown): boolean {
  try {
    return attempt() !== 'unsupported';
  } catch {
    return false;
  }
}

function findOut(): Abilities {
  const folder = mkdtempSync(join(tmpdir(), 'holdfast-abilities-'));
  const file = Buffer.from(join(folder, 'file'));
  try {
    writeFileSync(file, '');
    return {
      xattrs: tried(() => setXattr(file, Buffer.from('user.holdfast'), Buffer.from('1'))),
      devices: tried(() => makeNode(Buffer.from(join(folder, 'device')), 'char', 0o600, [1, 3])),
      owners: process.geteuid?.() === 0 && tried(() => chownSync(file, 4_000_000_000, 12_345)),
    };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

export const ABILITIES: Abilities = findOut();
