import { PostgresDialect } from 'kysely';
import pg from 'pg';
import { ServerError } from '../errors.ts';

/** Kysely on PostgreSQL, with values as SQLite gives them: int8 as number, bytes as plain Uint8Array. */

const INT8 = 20;
const BYTEA = 17;

function parseInt8(text: string): number {
  const value = Number(text);
  if (!Number.isSafeInteger(value)) throw new RangeError(`${text} does not fit a number`);
  return value;
}

/** Server output is always hex since `bytea_output` defaults to it; `\x` and two digits a byte. */
const parseBytes = (text: string): Uint8Array => Uint8Array.fromHex(text.slice(2));

const types: pg.CustomTypesConfig = {
  getTypeParser: ((oid: number, format?: 'text' | 'binary') => {
    if (oid === INT8) return parseInt8;
    if (oid === BYTEA) return parseBytes;
    return format === 'binary' ? pg.types.getTypeParser(oid, 'binary') : pg.types.getTypeParser(oid, 'text');
  }) as pg.CustomTypesConfig['getTypeParser'],
};

export function openPostgres(url: string, schema: string, onIdleError: (error: Error) => void): PostgresDialect {
  if (!/^[a-z_][a-z0-9_]{0,62}$/.test(schema)) {
    throw new ServerError('config_invalid', { message: `"${schema}" is no schema name` });
  }
  const options = `-c search_path=${schema} -c bytea_output=hex -c client_min_messages=warning`;
  const pool = new pg.Pool({ connectionString: url, options, types, max: 10 });
  // The server closed an idle connection: the next query makes a new one or fails with the reason
  pool.on('error', onIdleError);
  return new PostgresDialect({ pool });
}
