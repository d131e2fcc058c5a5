/**
 * The wraps of an identity for one recipient (format §2.5, §7): a change adds a wrap and takes none away, so that no device, and no
 * thief of its credential, can lock the owner out. The newest is tried first.
 */
import { equalBytes } from '../format/ids.ts';
import type { BlobStore } from './blob-store.ts';
import { folderPrefix, identityName, MAX_WRAPS, numberedWrap, wrapNumber } from './layout.ts';

type Named = { readonly name: string };

/** Those for the recipient whose first wrap is called `name`, newest first. */
export function wrapsNamed<T extends Named>(wraps: Iterable<T>, name: string): T[] {
  const numbered = [...wraps].map((wrap) => ({ wrap, n: wrapNumber(name, wrap.name) })).filter(({ n }) => n > 0);
  return numbered.sort((a, b) => b.n - a.n).map(({ wrap }) => wrap);
}

/** Of a store's names, without their folder, newest first. */
export async function storedWraps(
  store: Pick<BlobStore, 'list'>,
  archiveId: Uint8Array,
  name: string,
): Promise<string[]> {
  const prefix = folderPrefix(archiveId, 'identities');
  const stored = await Array.fromAsync(store.list(prefix), (blob) => ({ name: blob.name.slice(prefix.length) }));
  return wrapsNamed(stored, name).map((wrap) => wrap.name);
}

/** Adds a wrap as the newest one. The newest again is no change; `full` when the recipient has MAX_WRAPS. */
export async function appendWrap(
  store: Pick<BlobStore, 'get' | 'put' | 'list'>,
  archiveId: Uint8Array,
  name: string,
  bytes: Uint8Array,
): Promise<'stored' | 'exists' | 'full'> {
  numberedWrap(name, 1); // refuses a name that is not that of a first wrap, before the store is asked
  for (;;) {
    const [newest] = await storedWraps(store, archiveId, name);
    if (newest !== undefined && equalBytes(await store.get(identityName(archiveId, newest)), bytes)) return 'exists';
    const next = newest === undefined ? 1 : wrapNumber(name, newest) + 1;
    if (next > MAX_WRAPS) return 'full';
    const added = await store.put(identityName(archiveId, numberedWrap(name, next)), bytes, { ifAbsent: true });
    if (added === 'stored') return 'stored'; // else somebody was faster: this one comes after theirs
  }
}
