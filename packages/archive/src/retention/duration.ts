// Lengths of time in ms. Days and weeks here are those of UTC, which all have the same length.

export const MINUTE = 60_000;
export const HOUR: number = 60 * MINUTE;
export const DAY: number = 24 * HOUR;
export const WEEK: number = 7 * DAY;
