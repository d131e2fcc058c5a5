/** Our own work as whole processes: the engine on a disk store, and agent to server over TLS on loopback. */
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import {
  answer,
  freePorts,
  HOLDFAST,
  holdfast,
  holdfastServer,
  ROOT,
  type RunningServer,
  startServer,
} from '../scripts/processes.ts';
import { type Measured, measure, residentOfTree } from './measure.ts';

export type Ours = {
  reset(): Promise<void>;
  backup(tree: string): Promise<Measured>;
  restore(into: string): Promise<Measured>;
  /** What takes up the place that a peer's repository does. */
  repository: string;
  close(): Promise<void>;
};

export function engine(folder: string): Ours {
  const run = (...args: string[]): Promise<Measured> =>
    measure({ program: process.execPath, args: [join(ROOT, 'bench/engine.ts'), ...args] });
  return {
    repository: join(folder, 'store'),
    reset: async () => empty(folder),
    backup: (tree) => run('backup', folder, tree),
    restore: (into) => run('restore', folder, into),
    close: async () => {},
  };
}

/** A measurement that also says what the server held meanwhile. */
export type WithServer = Measured & { serverRss: number };
export type OursOverTls = Omit<Ours, 'backup' | 'restore'> & {
  backup(tree: string): Promise<WithServer>;
  restore(into: string): Promise<WithServer>;
};

export function agentToServer(folder: string): OursOverTls {
  const data = join(folder, 'server');
  const home = join(folder, 'agent');
  let server: RunningServer | null = null;
  let hasSet = false;
  const close = async (): Promise<void> => {
    await server?.stop();
    server = null;
  };
  const run = async (...args: string[]): Promise<WithServer> => {
    const pid = server?.pid;
    let serverRss = 0;
    const sampler = setInterval(() => {
      serverRss = Math.max(serverRss, residentOfTree(pid));
    }, 50);
    try {
      const measured = await measure({
        program: process.execPath,
        args: [HOLDFAST, ...args],
        env: { HOLDFAST_HOME: home },
      });
      return { ...measured, serverRss };
    } finally {
      clearInterval(sampler);
    }
  };
  return {
    repository: join(data, 'store'),
    close,
    async reset() {
      await close();
      empty(folder);
      hasSet = false;
      server = await startServer(data, await freePorts(), { flags: ['--address', 'localhost'] });
      const { password } = answer<{ password: string }>(
        await holdfastServer(['admin', 'create', 'bench', '--data', data, '--json']),
      );
      writeFileSync(join(folder, 'password'), password, { mode: 0o600 });
      writeFileSync(join(folder, 'own-password'), 'a password of its own', { mode: 0o600 });
      const { enrolment } = answer<{ enrolment: string }>(
        await holdfastServer(['enrolment', '--data', data, '--json']),
      );
      answer(
        await holdfast(home, [
          'enrol',
          enrolment,
          '--user',
          'bench',
          '--password-file',
          join(folder, 'password'),
          '--new-password-file',
          join(folder, 'own-password'),
          '--json',
        ]),
      );
    },
    async backup(tree) {
      if (!hasSet) answer(await holdfast(home, ['sets', 'add', 'bench', tree, '--no-default-exclude', '--json']));
      hasSet = true;
      return run('backup', '--set', 'bench', '--all-folders', '--json');
    },
    restore: (into) => run('restore', '--to', into, '--json'),
  };
}

function empty(folder: string): void {
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
}
