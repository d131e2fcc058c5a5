import type { AuthorityQueries } from './tables.ts';

/**
 * Which jobs of the clock failed at their last run. It is kept in the database: a command beside the server may do what
 * the job could not, and a restart makes nothing well.
 */

export const CLOCK_JOBS = ['dump', 'tidy', 'certificate'] as const;
export type ClockJob = (typeof CLOCK_JOBS)[number];

const keyOf = (job: ClockJob) => `failed_job:${job}`;

export async function noteJob(queries: AuthorityQueries, job: ClockJob, outcome: 'done' | 'failed'): Promise<void> {
  const key = keyOf(job);
  if (outcome === 'done') {
    await queries.deleteFrom('state').where('key', '=', key).execute();
    return;
  }
  await queries
    .insertInto('state')
    .values({ key, value: outcome })
    .onConflict((c) => c.column('key').doNothing())
    .execute();
}

export async function hasFailedJob(queries: AuthorityQueries): Promise<boolean> {
  const failed = queries.selectFrom('state').select('key').where('key', 'in', CLOCK_JOBS.map(keyOf));
  return (await failed.limit(1).executeTakeFirst()) !== undefined;
}
