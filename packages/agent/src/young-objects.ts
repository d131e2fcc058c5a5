import { setFlagsFromString } from 'node:v8';

/**
 * Keeps V8's space for young objects as small as it begins. It would grow threefold 16 MB while a backup or a restore makes many, and
 * never shrink: 70 to 130 MB more at the peak of 125,000 files, and nothing faster (ADR 5). For the main thread; worker threads have limits of their own.
 * V8 reads it whenever it would let the space grow, so that it may be set while the program runs.
 */
export function keepYoungSpaceSmall(): void {
  setFlagsFromString('--semi-space-growth-factor=1');
}
