import assert from 'node:assert/strict';
import { join, resolve } from 'node:path';
import { test } from 'node:test';
import { loadConfig } from './config.ts';
import { refusedWith } from './testing/refused.ts';

test('without settings everything lies in the data folder and the ports are the known ones', () => {
  const config = loadConfig({}, {});
  assert.equal(config.dataDir, resolve('holdfast-data'));
  assert.deepEqual([config.httpPort, config.httpsPort], [4280, 4285]);
  assert.deepEqual(config.database, { kind: 'sqlite', file: join(config.dataDir, 'authority.db') });
  assert.notDeepEqual(config.database, config.indexDatabase);
});

test('HTTPS follows the port base, and single ports win over it', () => {
  const config = loadConfig({ portBase: '5000' }, {});
  assert.deepEqual([config.httpPort, config.httpsPort], [5000, 5005]);
  assert.equal(loadConfig({ portBase: '5000', httpsPort: '443' }, {}).httpsPort, 443);
});

test('the command line wins over the environment', () => {
  const environment = { HOLDFAST_DATA: '/from/environment', HOLDFAST_ADDRESS: 'Backup.Example.org', HOLDFAST_KIT: '' };
  const config = loadConfig({ data: '/from/flags' }, environment);
  assert.equal(config.dataDir, resolve('/from/flags'));
  assert.equal(config.address, 'backup.example.org');
  assert.equal(config.kitFile, join(config.dataDir, 'recovery-kit.age'));
});

test('authority and index share a PostgreSQL database in two schemas', () => {
  const config = loadConfig({ database: 'postgres://db/holdfast' }, {});
  assert.deepEqual(config.database, { kind: 'postgres', url: 'postgres://db/holdfast', schema: 'holdfast' });
  assert.equal(config.indexDatabase.kind === 'postgres' && config.indexDatabase.schema, 'holdfast_index');
});

test('a setting that cannot be is refused with its name', () => {
  const wrong = [
    { portBase: 'http' },
    { httpPort: '70000' },
    { httpPort: '80', httpsPort: '80' },
    { database: 'mysql://db' },
    { address: 'two words' },
    { logLevel: 'loud' },
  ];
  for (const flags of wrong) assert.throws(() => loadConfig(flags, {}), refusedWith('config_invalid'));
});
