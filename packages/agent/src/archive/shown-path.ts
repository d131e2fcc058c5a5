import { isUtf8 } from 'node:buffer';
import { showPath } from '@holdfast/archive/source/paths.ts';

/** Names as bytes, for people and for programs: JSON holds text alone, so it also gets the bytes where they are none. */

/** Paths of a snapshot as the device has them: from the root, or from the drive. */
export const shownPath = (path: Uint8Array): string => showPath(onDevice(path));

/** Fields of a document. `pathBytes`, in hex, is there only when `path` is not valid UTF-8 and shows some bytes as `\xNN`. */
export type PathFields = { readonly path: string; readonly pathBytes?: string };

export const pathFields = (path: Uint8Array): PathFields => {
  const bytes = onDevice(path);
  const hex = hexUnlessText(bytes);
  return { path: showPath(bytes), ...(hex !== undefined && { pathBytes: hex }) };
};

/** The same for several: `pathsBytes` has all of them, in their order, when one is not valid UTF-8. */
export function pathsFields(paths: readonly Uint8Array[]): {
  readonly paths: readonly string[];
  readonly pathsBytes?: readonly string[];
} {
  const all = paths.map(onDevice);
  return {
    paths: all.map(showPath),
    ...(!all.every(isUtf8) && { pathsBytes: all.map((path) => path.toString('hex')) }),
  };
}

/** `undefined`, which JSON leaves out, where the text says it all. */
export const hexUnlessText = (bytes: Uint8Array): string | undefined =>
  isUtf8(bytes) ? undefined : Buffer.from(bytes).toString('hex');

const isDrive = (path: Uint8Array): boolean => /^[A-Za-z]:/.test(Buffer.from(path.subarray(0, 2)).toString('latin1'));

const onDevice = (path: Uint8Array): Buffer =>
  isDrive(path) || path[0] === 0x2f ? Buffer.from(path) : Buffer.concat([Buffer.from('/'), path]);
