import { ProtocolError } from '@holdfast/protocol/errors.ts';
import type { AuthorityQueries, OrganizationRow } from '../tables.ts';

/** The one organization there is so far. */
export const theOrganization = (queries: AuthorityQueries): Promise<OrganizationRow> =>
  queries.selectFrom('organizations').selectAll().orderBy('created').limit(1).executeTakeFirstOrThrow();

export async function organizationByKey(queries: AuthorityQueries, registrationKey: string): Promise<OrganizationRow> {
  const key = registrationKey.trim().toUpperCase();
  const row = await queries
    .selectFrom('organizations')
    .selectAll()
    .where('registration_key', '=', key)
    .executeTakeFirst();
  if (row === undefined) throw new ProtocolError('registration_key_invalid');
  return row;
}
