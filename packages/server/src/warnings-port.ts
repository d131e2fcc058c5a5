import type { Warning } from '@holdfast/protocol/warnings.ts';

/**
 * What a part of the server knows to be wrong at this moment. It is asked at each health request, by anybody: an
 * implementation looks up what was concluded before and never searches. It does not reject for what it is about.
 */
export type Warnings = () => Promise<readonly Warning[]>;
