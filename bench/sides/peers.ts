/** Debian's restic and borg, driven as their own documentation says, each with its cache in a folder of the run. */
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { type Measured, measure } from '../measure.ts';
import { empty, type Side } from './side.ts';

export const PEERS = ['restic', 'borg'] as const;
export type PeerName = (typeof PEERS)[number];

type Peer = {
  readonly install: string;
  readonly versionFlag: string;
  side(folder: string): Side;
};

const PASSWORD = 'bench';

const KNOWN: Readonly<Record<PeerName, Peer>> = {
  restic: { install: 'apt-get install restic', versionFlag: 'version', side: restic },
  borg: { install: 'apt-get install borgbackup', versionFlag: '--version', side: borg },
};

export type FoundPeers = {
  readonly peers: readonly PeerName[];
  readonly versions: readonly string[];
  /** How to install the others that were wanted. */
  readonly missing: readonly string[];
};

export function findPeers(wanted: readonly PeerName[]): FoundPeers {
  const found = wanted.map((name) => ({ name, version: versionOf(name) }));
  const there = found.flatMap(({ name, version }) => (version === null ? [] : [{ name, version }]));
  return {
    peers: there.map(({ name }) => name),
    versions: there.map(({ version }) => version),
    missing: found.flatMap(({ name, version }) => (version === null ? [KNOWN[name].install] : [])),
  };
}

function versionOf(name: PeerName): string | null {
  const asked = spawnSync(name, [KNOWN[name].versionFlag], { encoding: 'utf8' });
  return asked.status === 0 ? asked.stdout.trim().split(' ').slice(0, 2).join(' ') : null;
}

/** `folder` is the peer's own. */
export const peerSide = (name: PeerName, folder: string): Side => KNOWN[name].side(folder);

function restic(folder: string): Side {
  const repository = join(folder, 'repo');
  const env = { RESTIC_PASSWORD: PASSWORD, RESTIC_CACHE_DIR: join(folder, 'cache'), RESTIC_REPOSITORY: repository };
  const run = (...args: string[]): Promise<Measured> => measure({ program: 'restic', args, env });
  return {
    name: 'restic',
    repository,
    async reset() {
      empty(folder);
      await run('init');
    },
    backup: (trees) => run('backup', '--quiet', '--compression', 'auto', ...trees),
    restore: (into) => run('restore', 'latest', '--quiet', '--target', into),
    close: async () => {},
  };
}

function borg(folder: string): Side {
  const repository = join(folder, 'repo');
  const env = {
    BORG_PASSPHRASE: PASSWORD,
    BORG_BASE_DIR: join(folder, 'base'),
    BORG_RELOCATED_REPO_ACCESS_IS_OK: 'yes',
  };
  let archives = 0;
  const run = (cwd: string, ...args: string[]): Promise<Measured> =>
    // borg ends with 1 on warnings such as a file that changed while it was read
    measure({ program: 'borg', args, env, cwd }, [0, 1]);
  return {
    name: 'borg',
    repository,
    async reset() {
      empty(folder);
      archives = 0;
      await run(folder, 'init', '--encryption', 'repokey', repository);
    },
    backup(trees) {
      archives += 1;
      return run(folder, 'create', '--compression', 'lz4', `${repository}::a${archives}`, ...trees);
    },
    restore: (into) => run(into, 'extract', `${repository}::a${archives}`),
    close: async () => {},
  };
}
