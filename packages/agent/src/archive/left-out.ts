/** What a backup left out, and whether anything is missing because of it. */
export type LeftOut = { readonly reason: string };

/** A socket has no content: it is told as left out, and nothing of anybody's is missing. */
export const losesNothing = ({ reason }: LeftOut): boolean => reason === 'socket';

/** `skipped` may be shortened; what it does not list counts as unread, so that nothing is passed over. */
export const unreadCount = (skipped: readonly LeftOut[], skippedCount: number): number =>
  skippedCount - skipped.filter(losesNothing).length;
