import { join, resolve } from 'node:path';
import { ServerError } from './errors.ts';

/**
 * What the server runs with: one type, read once from the command line and the environment (the command line wins), and
 * checked. Nothing else reads the environment.
 */

/** Where a database is. The schema separates authority and index in one PostgreSQL database. */
export type DatabaseConfig =
  | { readonly kind: 'sqlite'; readonly file: string }
  | { readonly kind: 'postgres'; readonly url: string; readonly schema: string };

export type ServerConfig = {
  readonly dataDir: string;
  readonly keystoreDir: string;
  readonly kitFile: string;
  readonly dumpDir: string;
  /** Nightly dumps kept. */
  readonly dumpsKept: number;
  /** Local time of the nightly dump, as cron. */
  readonly dumpSchedule: string;
  /** The default store point (format §7). */
  readonly storeDir: string;
  readonly database: DatabaseConfig;
  readonly indexDatabase: DatabaseConfig;
  /** Interface to listen on; `::` is all, IPv4 too. */
  readonly listen: string;
  readonly httpPort: number;
  readonly httpsPort: number;
  /** The name or address devices use, in enrolment strings and the certificate; null: what `defaultAddress` finds. */
  readonly address: string | null;
  readonly logLevel: 'trace' | 'debug' | 'info' | 'warn' | 'error' | 'fatal';
};

export type ServerFlags = {
  readonly data?: string;
  readonly kit?: string;
  readonly portBase?: string;
  readonly httpPort?: string;
  readonly httpsPort?: string;
  readonly address?: string;
  readonly listen?: string;
  readonly database?: string;
  readonly logLevel?: string;
};

/** Environment variables, each with the flag it stands for. */
export const ENVIRONMENT = {
  HOLDFAST_DATA: 'data',
  HOLDFAST_KIT: 'kit',
  HOLDFAST_PORT_BASE: 'portBase',
  HOLDFAST_HTTP_PORT: 'httpPort',
  HOLDFAST_HTTPS_PORT: 'httpsPort',
  HOLDFAST_ADDRESS: 'address',
  HOLDFAST_LISTEN: 'listen',
  HOLDFAST_DATABASE: 'database',
  HOLDFAST_LOG_LEVEL: 'logLevel',
} as const satisfies Record<string, keyof ServerFlags>;

export const DEFAULT_HTTP_PORT = 4280;
/** HTTPS follows HTTP at this distance: 4280 and 4285. */
export const HTTPS_OFFSET = 5;

const LOG_LEVELS = ['trace', 'debug', 'info', 'warn', 'error', 'fatal'] as const;

export function loadConfig(
  flags: ServerFlags,
  environment: Readonly<Record<string, string | undefined>> = process.env,
): ServerConfig {
  const given: ServerFlags = { ...fromEnvironment(environment), ...withoutUndefined(flags) };
  const dataDir = resolve(given.data ?? 'holdfast-data');
  const base = port('port base', given.portBase, DEFAULT_HTTP_PORT);
  const httpPort = port('HTTP port', given.httpPort, base);
  const httpsPort = port('HTTPS port', given.httpsPort, base + HTTPS_OFFSET);
  if (httpPort === httpsPort && httpPort !== 0) throw invalid('HTTP and HTTPS need two different ports');
  return {
    dataDir,
    keystoreDir: join(dataDir, 'keystore'),
    kitFile: given.kit === undefined ? join(dataDir, 'recovery-kit.age') : resolve(given.kit),
    dumpDir: join(dataDir, 'dumps'),
    dumpsKept: 14,
    dumpSchedule: '1 2 * * *',
    storeDir: join(dataDir, 'store'),
    database: database(given.database, join(dataDir, 'authority.db'), 'holdfast'),
    indexDatabase: database(given.database, join(dataDir, 'index.db'), 'holdfast_index'),
    listen: given.listen ?? '::',
    httpPort,
    httpsPort,
    address: address(given.address),
    logLevel: logLevel(given.logLevel),
  };
}

const invalid = (message: string) => new ServerError('config_invalid', { message });

function fromEnvironment(environment: Readonly<Record<string, string | undefined>>): ServerFlags {
  const found = Object.entries(ENVIRONMENT).map(([name, flag]) => [flag, environment[name]]);
  return withoutUndefined(Object.fromEntries(found));
}

const withoutUndefined = (flags: ServerFlags): ServerFlags =>
  Object.fromEntries(Object.entries(flags).filter(([, value]) => value !== undefined && value !== ''));

/** 0 lets the system choose a free one. */
function port(what: string, text: string | undefined, fallback: number): number {
  const value = text === undefined ? fallback : Number(text);
  if (!Number.isInteger(value) || value < 0 || value > 65535)
    throw invalid(`"${text ?? value}" is no ${what} (0-65535)`);
  return value;
}

function database(url: string | undefined, file: string, schema: string): DatabaseConfig {
  if (url === undefined) return { kind: 'sqlite', file };
  if (/^postgres(ql)?:\/\//.test(url)) return { kind: 'postgres', url, schema };
  throw invalid('the database is a postgres:// URL; without one SQLite is used');
}

function address(text: string | undefined): string | null {
  if (text === undefined) return null;
  const value = text.replace(/^\[|\]$/g, '').toLowerCase();
  if (!/^[a-z0-9.:-]{1,253}$/.test(value)) throw invalid(`"${text}" is neither a host name nor an address`);
  return value;
}

function logLevel(text: string | undefined): ServerConfig['logLevel'] {
  const level = LOG_LEVELS.find((l) => l === (text ?? 'info'));
  if (level === undefined) throw invalid(`the log level is one of ${LOG_LEVELS.join(', ')}`);
  return level;
}
