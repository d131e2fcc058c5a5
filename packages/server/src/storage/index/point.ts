// Facts about the store point as a whole.

import type { On } from './open-index.ts';

export type PointKey = 'incarnation' | 'generation';

export const readPoint = async ({ db }: On, key: PointKey): Promise<string | null> =>
  (await db.selectFrom('point').select('value').where('key', '=', key).executeTakeFirst())?.value ?? null;

export async function writePoint({ db }: On, key: PointKey, value: string): Promise<void> {
  await db
    .insertInto('point')
    .values({ key, value })
    .onConflict((conflict) => conflict.column('key').doUpdateSet({ value }))
    .execute();
}
