// format §3.1: the one registry of chunk kinds. The kind is part of a chunk's id and of its key, so
// that no two kinds share either.

export const KIND = {
  data: 1,
  file: 2,
  bundle: 3,
  tree: 4,
  part: 5,
  list: 6,
  gone: 7,
  description: 8,
  commit: 9,
} as const;

export type Kind = (typeof KIND)[keyof typeof KIND];

export const isKind = (n: number): n is Kind => n >= KIND.data && n <= KIND.commit;

/** Kinds whose plaintext begins with the ids it links, which stand in the clear in the entry. */
export const hasLinks = (kind: Kind): boolean => (kind >= KIND.tree && kind <= KIND.gone) || kind === KIND.commit;

/** Kind `file` only names file ids; it is never stored as a frame. */
export const isStored = (kind: Kind): boolean => kind !== KIND.file;
