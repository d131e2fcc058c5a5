import type { ArchiveInformation } from '@holdfast/protocol/enrolment-routes.ts';
import type { ArchiveRow, AuthorityQueries } from '../tables.ts';

export const archiveOf = (queries: AuthorityQueries, user: string): Promise<ArchiveRow | undefined> =>
  queries.selectFrom('archives').selectAll().where('user', '=', user).executeTakeFirst();

export const describeArchive = (row: ArchiveRow | undefined): ArchiveInformation => ({
  id: row?.id ?? null,
  state: row?.state ?? 'missing',
  recipient: row?.recipient ?? null,
  signingKey: row?.signing_key ?? null,
  madeBy: row?.made_by ?? null,
});

export const archiveInformationOf = async (queries: AuthorityQueries, user: string): Promise<ArchiveInformation> =>
  describeArchive(await archiveOf(queries, user));
