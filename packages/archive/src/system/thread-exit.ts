import type { Worker } from 'node:worker_threads';

/**
 * Resolves when the thread has ended. It has to end by itself, between two pieces of work: where `terminate` hits a thread that is about to
 * set zlib up, Node 26 aborts the whole process (`CompressionStream::Close`, "close before init").
 */
export const exitOf = (worker: Worker): Promise<void> => new Promise((resolve) => worker.once('exit', () => resolve()));
