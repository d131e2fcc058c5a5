/** How many there are, as people read it. */

/** `2,000`: a whole number. Not by `toLocaleString`: its tables take half as long to load as Node to start. */
export const count = (value: number): string => String(value).replace(/\B(?=(?:\d{3})+$)/g, ',');

/** `1 file`, `2,000 files`. */
export const counted = (value: number, what: string): string => `${count(value)} ${what}${value === 1 ? '' : 's'}`;
