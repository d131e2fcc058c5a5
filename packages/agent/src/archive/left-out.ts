import { losesNothing } from '@holdfast/archive/backup/skip.ts';

/** Of what a snapshot says was left out. `skipped` may be shortened; what it does not list counts as unread, so that nothing is passed over. */
export const unreadCount = (skipped: readonly { readonly reason: string }[], skippedCount: number): number =>
  skippedCount - skipped.filter(losesNothing).length;
