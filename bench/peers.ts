/** Debian's restic and borg, driven as their own documentation says, each with its cache in a folder of the run. */
import { spawnSync } from 'node:child_process';
import { mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { type Command, type Measured, measure } from './measure.ts';

export type Peer = {
  name: string;
  version: string;
  /** Makes an empty repository in the peer's folder. */
  reset(): Promise<void>;
  backup(tree: string): Promise<Measured>;
  restore(into: string): Promise<Measured>;
  /** Where the repository lies, to ask its size. */
  repository: string;
};

const PASSWORD = 'bench';

/** The peers that are installed; `missing` names the others with the command that installs them. */
export function findPeers(work: string): { peers: Peer[]; missing: string[] } {
  const peers: Peer[] = [];
  const missing: string[] = [];
  for (const [program, make] of [
    ['restic', restic],
    ['borg', borg],
  ] as const) {
    const found = spawnSync(program, program === 'restic' ? ['version'] : ['--version'], { encoding: 'utf8' });
    if (found.status === 0) peers.push(make(join(work, program), found.stdout.trim().split('\n')[0] ?? ''));
    else missing.push(program === 'restic' ? 'apt-get install restic' : 'apt-get install borgbackup');
  }
  return { peers, missing };
}

function restic(folder: string, version: string): Peer {
  const repository = join(folder, 'repo');
  const env = { RESTIC_PASSWORD: PASSWORD, RESTIC_CACHE_DIR: join(folder, 'cache'), RESTIC_REPOSITORY: repository };
  const run = (...args: string[]): Promise<Measured> => measure({ program: 'restic', args, env } satisfies Command);
  return {
    name: 'restic',
    version: version.split(' ').slice(0, 2).join(' '),
    repository,
    async reset() {
      empty(folder);
      await run('init');
    },
    backup: (tree) => run('backup', '--quiet', '--compression', 'auto', tree),
    restore: (into) => run('restore', 'latest', '--quiet', '--target', into),
  };
}

function borg(folder: string, version: string): Peer {
  const repository = join(folder, 'repo');
  const env = {
    BORG_PASSPHRASE: PASSWORD,
    BORG_BASE_DIR: join(folder, 'base'),
    BORG_RELOCATED_REPO_ACCESS_IS_OK: 'yes',
  };
  let archives = 0;
  const run = (cwd: string, ...args: string[]): Promise<Measured> =>
    // borg ends with 1 on warnings such as a file that changed while it was read
    measure({ program: 'borg', args, env, cwd } satisfies Command, [0, 1]);
  return {
    name: 'borg',
    version,
    repository,
    async reset() {
      empty(folder);
      archives = 0;
      await run(folder, 'init', '--encryption', 'repokey', repository);
    },
    backup(tree) {
      archives += 1;
      return run(folder, 'create', '--compression', 'lz4', `${repository}::a${archives}`, tree);
    },
    restore: (into) => run(into, 'extract', `${repository}::a${archives}`),
  };
}

function empty(folder: string): void {
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
}
