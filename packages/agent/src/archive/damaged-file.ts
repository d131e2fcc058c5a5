import type { ArchiveError } from '@holdfast/archive/errors.ts';
import { type Folder, folderPrefix } from '@holdfast/archive/store/layout.ts';

/** A file of an archive that is not what it should be. It keeps nobody from what is whole, and is never passed over in silence. */
export type DamagedFile = {
  /** Its name in the store point (format §7). */
  readonly file: string;
  readonly code: ArchiveError['code'];
  /** What is wrong with it, without a full stop. */
  readonly reason: string;
};

/** `name` without its folder. */
export const fileOf = (archiveId: Uint8Array, folder: Folder, name: string): string =>
  `${folderPrefix(archiveId, folder)}${name}`;

export const describeDamage = ({ file, reason }: DamagedFile): string => `${file}: ${reason}`;
