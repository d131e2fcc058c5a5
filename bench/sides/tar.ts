/** `tar | zstd -1 -T2` into a file: what reading and compressing everything costs without any of a backup's other work. */
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { type Measured, measure } from '../measure.ts';

export const TAR_ZSTD = 'tar | zstd';

export async function tarZstd(trees: readonly string[], folder: string): Promise<Measured> {
  const file = join(folder, 'tree.tar.zst');
  const pipe = 'file=$1; shift; tar -cf - "$@" 2>/dev/null | zstd -1 -T2 -q -f -o "$file"';
  try {
    return await measure({ program: 'sh', args: ['-c', pipe, 'sh', file, ...trees] });
  } finally {
    rmSync(file, { force: true });
  }
}
