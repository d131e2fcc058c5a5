/** Reading a snapshot the way restore does: its walk and its session reader, one request after the other. */
import type { ArchiveEndpoint } from '@holdfast/archive/endpoint/endpoint.ts';
import type { ArchiveKeys } from '@holdfast/archive/format/keys.ts';
import { KIND } from '@holdfast/archive/format/kinds.ts';
import type { TreeEntry } from '@holdfast/archive/format/tree.ts';
import { chunkOf } from '@holdfast/archive/restore/chunk-reader.ts';
import { createDecodePool } from '@holdfast/archive/restore/decode-pool.ts';
import { createSessionReader, type SessionReader } from '@holdfast/archive/restore/session-reader.ts';
import { pathOf, walkTree } from '@holdfast/archive/restore/walk.ts';
import { bytesOf, type Tree } from './tree.ts';

/** Reads all of it and throws unless it is this tree. */
export async function readTree(
  endpoint: Pick<ArchiveEndpoint, 'openSession'>,
  keys: ArchiveKeys,
  root: Uint8Array,
  tree: Tree,
): Promise<void> {
  const reader = createSessionReader({ endpoint, opener: createDecodePool(keys, 0), readsInFlight: 1 });
  try {
    const left = new Map(tree);
    for await (const item of walkTree(reader, root)) {
      if (item.kind === 'damaged') throw item.error;
      if (item.kind !== 'entry') continue;
      const path = Buffer.from(pathOf(item.directory, item.entry)).toString();
      const content = await contentOf(reader, item.entry);
      const expected = left.get(path);
      if (expected === undefined || !content.equals(bytesOf(expected)))
        throw new Error(`"${path}" has another content`);
      left.delete(path);
    }
    if (left.size > 0) throw new Error(`"${[...left.keys()].join()}" is not there`);
  } finally {
    await reader.close();
  }
}

async function contentOf(reader: SessionReader, { segments = [] }: TreeEntry): Promise<Buffer> {
  const answers = await reader.read(segments.map(({ id }) => id));
  return Buffer.concat(
    segments.map(({ offset, length }, i) =>
      chunkOf(answers[i], KIND.data, KIND.bundle).plaintext.subarray(offset, offset + length),
    ),
  );
}
