import { rmSync } from 'node:fs';
import { writeAtomic } from '../state/atomic-file.ts';
import type { Renewal } from './renew-identity.ts';

/** The file of a user at key level `custom-key`. There is none of this name yet: whoever calls has looked. */
export const exportedTo = (path: string): Renewal => ({
  level: 'custom-key',
  keep: (text) => writeAtomic(path, text),
  discard: () => rmSync(path, { force: true }),
});
