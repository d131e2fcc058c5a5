/**
 * Backing up: a walk of what was selected, the chunks that the archive lacks, a snapshot.
 *
 * Nouns: a *run* is one backup of one set to one destination; a *node* (node.ts) is a directory in it; a *job* (shared.ts) is a large file or a batch
 * of small ones; a *round* plans, reads and sends, and is repeated only when the destination turns out to lack something; the *cache* is
 * what the run before it knew.
 *
 * ```
 * open a session, ask what is present, find the parent snapshot · walk, comparing fingerprints          (workers)
 * up to three rounds:
 *   which nodes are dirty, which of their entries must be read                                         plan.ts
 *   read, cut, name, seal, pack                                                                        (workers) job-runner.ts
 *   trees from the leaves up as their entries are there                                                assembler.ts
 *   packs: data at once, trees after what they link                                                    upload.ts
 *   snapshot: the commit                                                                               chain.ts
 * replace the cache
 * ```
 * The invariants of ARCHIVE §5 that hold here: nothing is referred to before it is acknowledged (upload.ts); the snapshot goes last;
 * the cache is replaced only after it. A run that ends early at any point leaves packs that nothing refers to.
 */
import { CacheDamaged } from './cache.ts';
import type { BackupOptions, BackupResult } from './options.ts';
import { Run } from './run.ts';

export type { BackupEvent, BackupOptions, BackupResult, BackupStats } from './options.ts';

/** Rejects with an `ArchiveError`, or with the signal's reason. */
export async function backup(options: BackupOptions): Promise<BackupResult> {
  try {
    return await execute(options);
  } catch (error) {
    if (!(error instanceof CacheDamaged)) throw error;
    const detail = 'a record of it is not what it was';
    options.onEvent?.({ kind: 'cache', problem: 'damaged', detail });
    return execute(options);
  }
}

async function execute(options: BackupOptions): Promise<BackupResult> {
  const run = new Run(options);
  try {
    return await run.execute();
  } finally {
    await run.close();
  }
}
