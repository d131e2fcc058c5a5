import type { Kysely } from 'kysely';
import type { ColumnTypes, Steps } from '../database/migrate.ts';

/** The authority's migrations. A step that has been released is never changed; the next one expands what it made. */

type Reference = { readonly references: string; readonly cascade?: true };
type Column = 'text' | 'integer' | 'text?' | 'integer?' | Reference;

async function table(
  db: Kysely<unknown>,
  types: ColumnTypes,
  name: string,
  key: readonly string[],
  columns: Readonly<Record<string, Column>>,
): Promise<void> {
  let builder = db.schema.createTable(name);
  for (const [column, kind] of Object.entries(columns)) {
    const isReference = typeof kind === 'object';
    const type = isReference || kind.startsWith('text') ? types.text : types.integer;
    builder = builder.addColumn(column, type, (c) => {
      const required = isReference || !kind.endsWith('?') ? c.notNull() : c;
      if (!isReference) return required;
      const referring = required.references(kind.references);
      return kind.cascade ? referring.onDelete('cascade') : referring;
    });
  }
  await builder
    .addPrimaryKeyConstraint(`${name}_key`, key as never)
    .modifyEnd(types.strict)
    .execute();
}

const unique = (db: Kysely<unknown>, name: string, column: string) =>
  db.schema.createIndex(`${name}_${column}`).on(name).column(column).unique().execute();
const index = (db: Kysely<unknown>, name: string, column: string) =>
  db.schema.createIndex(`${name}_${column}`).on(name).column(column).execute();

export const AUTHORITY_STEPS: Steps = {
  '0001_foundation': async (db, types) => {
    const make = (name: string, key: readonly string[], columns: Readonly<Record<string, Column>>) =>
      table(db, types, name, key, columns);
    const ofUser = { references: 'users.id', cascade: true } as const;
    const ofRole = { references: 'roles.id', cascade: true } as const;

    await make('organizations', ['id'], {
      id: 'text',
      name: 'text',
      registration_key: 'text',
      sign_up: 'integer',
      created: 'integer',
    });
    await unique(db, 'organizations', 'registration_key');
    await make('roles', ['id'], { id: 'text', name: 'text', locked: 'integer' });
    await make('role_grants', ['role', 'permission'], { role: ofRole, permission: 'text' });
    await make('users', ['id'], {
      id: 'text',
      organization: { references: 'organizations.id' },
      username: 'text',
      username_key: 'text',
      name: 'text',
      state: 'text',
      password_hash: 'text',
      must_change_password: 'integer',
      key_level: 'text',
      created: 'integer',
    });
    await unique(db, 'users', 'username_key');
    await make('user_roles', ['user', 'role'], { user: ofUser, role: ofRole });
    await make('sessions', ['token_hash'], {
      token_hash: 'text',
      user: ofUser,
      created: 'integer',
      used: 'integer',
      expires: 'integer',
    });
    await index(db, 'sessions', 'user');
    await make('attempts', ['bucket'], { bucket: 'text', failures: 'integer', last: 'integer' });
    await make('devices', ['id'], {
      id: 'text',
      guid: 'text',
      user: { references: 'users.id' },
      name: 'text',
      os: 'text',
      version: 'text',
      public_key: 'text',
      recipient: 'text',
      credential_hash: 'text',
      enrolled: 'integer',
      last_seen: 'integer?',
      removed: 'integer?',
      status: 'text?',
    });
    await unique(db, 'devices', 'guid');
    await unique(db, 'devices', 'credential_hash');
    await index(db, 'devices', 'user');
    await make('archives', ['user'], {
      user: { references: 'users.id' },
      id: 'text',
      state: 'text',
      recipient: 'text',
      signing_key: 'text',
      made_by: { references: 'devices.id' },
      created: 'integer',
    });
    await unique(db, 'archives', 'id');
    await make('destinations', ['id'], { id: 'text', name: 'text', storage: 'text', created: 'integer' });
    await make('settings', ['scope'], { scope: 'text', revision: 'integer', value: 'text' });
    await make('state', ['key'], { key: 'text', value: 'text' });
    await make('audit', ['sequence'], {
      sequence: 'integer',
      at: 'integer',
      actor: 'text',
      action: 'text',
      target: 'text?',
      details: 'text',
      hash: 'text',
    });
    await make('audit_head', ['id'], { id: 'integer', sequence: 'integer', hash: 'text' });
  },

  '0002_key_requests': (db, types) =>
    table(db, types, 'key_requests', ['device'], {
      device: { references: 'devices.id', cascade: true },
      nonce: 'text',
      recipient: 'text',
      signing_key: 'text',
      requested: 'integer',
      expires: 'integer',
    }),

  // Where an identity was made before this column, every removed device may hold it
  '0003_renewed_identities': async (db, types) => {
    await db.schema
      .alterTable('archives')
      .addColumn('kept_from', types.text, (c) => c.notNull().defaultTo('[]'))
      .execute();
  },
};
