/** Run as a process of its own: migrates the database given as JSON and prints the names of the steps that ran. */
import type { DatabaseConfig } from '../../config.ts';
import { migrate } from '../migrate.ts';
import { openDatabase } from '../open.ts';

const database = openDatabase(JSON.parse(process.argv[2] ?? '') as DatabaseConfig);
const ran = await migrate(database, {
  '0001_things': (db, types) => db.schema.createTable('things').addColumn('id', types.text).execute(),
});
await database.close();
console.log(JSON.stringify(ran));
