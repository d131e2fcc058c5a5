// Every margin of the storage in one place, with what it is for.

const SECOND = 1000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

/** A session of which nothing was heard for so long is ended by whoever waits for it (ARCHIVE §5.4). */
export const SESSION_SILENCE_MS = HOUR;

/** A request renews its session only this often: each renewal is a transaction. */
export const RENEW_EVERY_MS = MINUTE;

/** Collect does not look at packs of sessions that ended within it. It saves work; safety does not rest on it. */
export const GRACE_MS = HOUR;

/** How long a pack stays readable after compaction (ARCHIVE §5.3). */
export const RETIRED_READABLE_MS = DAY;

/** The name of a deleted pack is not used again for so long: a slow deletion may still be on its way. */
export const GONE_NAME_MS = HOUR;

/** Rows of ended sessions are kept so long, for grace and for whoever looks into what happened. */
export const SESSION_ROWS_MS = 7 * DAY;

/** format §6.3 */
export const TOMBSTONE_MS = 30 * DAY;

/** At most so many ids are named in one `links_missing` (ARCHIVE §5.1). */
export const MAX_MISSING_IDS = 1000;

/** One question to the index. */
export const IDS_PER_QUERY = 4096;

/** Reconcile stops when more than this share of an archive's packs differs (ARCHIVE §4) ... */
export const RECONCILE_SHARE = 0.001;
/** ... but a small archive may differ by so many packs: a disk loses few, a crash leaves at most what was just sent. */
export const FREE_VANISHED = 3;
export const FREE_UNKNOWN = 64;

/** A policy that retires more than the one before waits so long before it acts (ARCHIVE §5.6). */
export const SHORTENING_DELAY_MS = 7 * DAY;

/** A pack is rewritten when so much of it is dead. */
export const COMPACT_DEAD_SHARE = 0.3;
/** Packs smaller than this are joined when there are several. */
export const COMPACT_SMALL_BYTES = 4 * 1024 * 1024;
export const COMPACT_SMALL_COUNT = 16;
