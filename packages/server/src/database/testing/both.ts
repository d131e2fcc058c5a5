import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe } from 'node:test';
import type { DatabaseConfig } from '../../config.ts';
import { startPostgres, type TestPostgres } from './postgres.ts';

/** Runs one suite on SQLite and on PostgreSQL; each call of `fresh` gives an empty database. */
export function onBothDatabases(name: string, suite: (fresh: () => Promise<DatabaseConfig>) => void): void {
  describe(`${name} (sqlite)`, () => {
    let directory: string;
    let count = 0;
    before(() => {
      directory = mkdtempSync(join(tmpdir(), 'holdfast-sqlite-'));
    });
    after(() => rmSync(directory, { recursive: true, force: true }));
    suite(async () => {
      count += 1;
      return { kind: 'sqlite', file: join(directory, `${count}.db`) };
    });
  });
  describe(`${name} (postgres)`, () => {
    let postgres: TestPostgres;
    before(async () => {
      postgres = await startPostgres();
    });
    after(() => postgres.stop());
    suite(async () => ({ kind: 'postgres', url: await postgres.createDatabase(), schema: 'holdfast' }));
  });
}
