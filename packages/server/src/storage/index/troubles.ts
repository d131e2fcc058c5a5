// What maintenance concluded and an administrator has to look at, kept until a later run concludes otherwise: so that whoever
// asks how the server is gets an answer without a search, also about what a command beside the server has found.

import type { Warning } from '@holdfast/protocol/warnings.ts';
import { isAnythingMissed } from './lost.ts';
import type { On } from './open-index.ts';
import type { Trouble } from './tables.ts';

/** `job` tells apart what several jobs may have, each for itself. */
export async function conclude(
  { db }: On,
  archive: number,
  trouble: { readonly code: Trouble; readonly job?: string },
  isSo: boolean,
  now: number,
): Promise<void> {
  const row = { archive, code: trouble.code, job: trouble.job ?? '' };
  if (isSo) {
    await db
      .insertInto('troubles')
      .values({ ...row, since: now })
      .onConflict((conflict) => conflict.doNothing())
      .execute();
    return;
  }
  await db
    .deleteFrom('troubles')
    .where('archive', '=', archive)
    .where('code', '=', row.code)
    .where('job', '=', row.job)
    .execute();
}

/** Of all archives. Each question is answered from the end of an index. */
export async function indexWarnings(on: On): Promise<Warning[]> {
  const { db } = on;
  const isLost = await isAnythingMissed(on, null);
  const held = await db.selectFrom('archives').select('number').where('suspended', '=', 1).limit(1).executeTakeFirst();
  const troubles = await db.selectFrom('troubles').select('code').distinct().execute();
  return [
    ...(held === undefined ? [] : (['maintenance_held'] as const)),
    ...(isLost ? (['chunks_lost'] as const) : []),
    ...troubles.map(({ code }) => code),
  ];
}
