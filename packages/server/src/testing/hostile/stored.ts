// All that a server has stored, as one text for each table and folder: to see that a refused request left nothing.

import { readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { sql } from 'kysely';
import type { Database } from '../../database/open.ts';

/** Changes with every use, or by a refusal: when something was last seen, and how often somebody guessed. */
const VOLATILE: Readonly<Record<string, readonly string[]>> = {
  sessions: ['used', 'expires', 'renewed'],
  devices: ['last_seen'],
};
const PASSED_OVER = new Set(['attempts', 'migrations', 'kysely_migration', 'kysely_migration_lock']);

export type Stored = ReadonlyMap<string, string>;

export async function storedRows(
  name: string,
  { kysely, kind, config }: Database<unknown>,
): Promise<[string, string][]> {
  const tables =
    kind === 'sqlite'
      ? sql<{ name: string }>`select name from sqlite_master where type = 'table' order by name`
      : sql<{
          name: string;
        }>`select table_name as name from information_schema.tables where table_schema = ${'schema' in config ? config.schema : ''} order by 1`;
  const found: [string, string][] = [];
  for (const { name: table } of (await tables.execute(kysely)).rows) {
    if (PASSED_OVER.has(table)) continue;
    const { rows } = await sql<Record<string, unknown>>`select * from ${sql.table(table)}`.execute(kysely);
    found.push([
      `${name}.${table}`,
      rows
        .map((row) => lineOf(table, row))
        .sort()
        .join('\n'),
    ]);
  }
  return found;
}

function lineOf(table: string, row: Record<string, unknown>): string {
  const kept = Object.entries(row).filter(([column]) => VOLATILE[table]?.includes(column) !== true);
  return JSON.stringify(kept.map(([column, value]) => [column, value instanceof Uint8Array ? value.toHex() : value]));
}

/** Every file below a folder with its size; unfinished ones count too. */
export function storedFiles(folder: string): string {
  const entries = readdirSync(folder, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
  const paths = entries.map(({ parentPath, name }) => join(parentPath, name)).sort();
  return paths.map((path) => `${path} ${statSync(path, { throwIfNoEntry: false })?.size ?? 'gone'}`).join('\n');
}

/** What differs, one line each. */
export function differences(before: Stored, after: Stored): string[] {
  return [...after].flatMap(([where, now]) => {
    if (before.get(where) === now) return [];
    const was = new Set(before.get(where)?.split('\n'));
    const added = now.split('\n').filter((line) => !was.has(line));
    return [`${where}: ${added.length === 0 ? 'something is gone' : added.slice(0, 3).join(' | ').slice(0, 400)}`];
  });
}
