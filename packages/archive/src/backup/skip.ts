/** An entry that a backup left out. */
export type Skip = { readonly path: Buffer; readonly reason: string };

/** A socket has no content, so nothing of anybody's is missing without it. */
export const losesNothing = ({ reason }: Pick<Skip, 'reason'>): boolean => reason === 'socket';
