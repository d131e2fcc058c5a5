/** An entry that a backup left out. */
export type Skip = { readonly path: Buffer; readonly reason: string };

/** A socket has no content, so nothing of anybody's is missing without it. */
export const losesNothing = ({ reason }: Pick<Skip, 'reason'>): boolean => reason === 'socket';

/** A snapshot lists only so many: what is missing from it comes before what is merely left out. */
export const lossesFirst = (skips: readonly Skip[]): Skip[] => [
  ...skips.filter((skip) => !losesNothing(skip)),
  ...skips.filter(losesNothing),
];

/** How many of `count` were losses, when `listed` are the first of them in that order; what is not known counts as one. */
export function lossesAmong(listed: readonly Pick<Skip, 'reason'>[], count: number): number {
  const losses = listed.filter((skip) => !losesNothing(skip)).length;
  return losses < listed.length ? losses : count;
}
