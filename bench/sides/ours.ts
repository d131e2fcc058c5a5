/** Our own work as whole processes: the engine on a disk store, and agent to server over TLS on loopback. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import {
  answer,
  freePorts,
  HOLDFAST,
  holdfast,
  holdfastServer,
  type Ports,
  ROOT,
  type RunningServer,
  startServer,
} from '../../scripts/processes.ts';
import { type Measured, measure, watchMemory } from '../measure.ts';
import { empty, type Side } from './side.ts';

export type Engine = Side & {
  /** With the keys, which may be copied before the first backup. */
  readonly folder: string;
  /** The ids of all chunks of the trees, as JSON. */
  ids(trees: readonly string[]): Promise<Measured>;
};

export function engine(folder: string): Engine {
  const run = (job: string, ...args: string[]): Promise<Measured> =>
    measure({ program: process.execPath, args: [join(ROOT, 'bench/engine.ts'), job, folder, ...args] });
  return {
    name: 'ours-disk',
    folder,
    repository: join(folder, 'store'),
    reset: async () => empty(folder),
    backup: (trees) => run('backup', ...trees),
    restore: (into) => run('restore', into),
    ids: (trees) => run('ids', ...trees),
    close: async () => {},
  };
}

/** A measurement that also says what the server held meanwhile. */
export type WithServer = Measured & { readonly serverRss: number };

/** A server and a device of one user, which has one backup set: whatever is backed up first. */
export class AgentToServer implements Side {
  readonly name = 'ours-server';
  readonly data: string;
  readonly home: string;
  private readonly folder: string;
  private server: RunningServer | null = null;
  private hasSet = false;

  constructor(folder: string) {
    this.folder = folder;
    this.data = join(folder, 'server');
    this.home = join(folder, 'agent');
  }

  get repository(): string {
    return join(this.data, 'store');
  }

  get ports(): Ports {
    if (this.server === null) throw new Error('the server does not run');
    return this.server.ports;
  }

  async reset(): Promise<void> {
    await this.close();
    empty(this.folder);
    this.hasSet = false;
    this.server = await startServer(this.data, await freePorts(), {
      flags: ['--address', 'localhost', '--log-level', 'warn'],
    });
    const { password } = answer<{ password: string }>(await this.onServer('admin', 'create', 'bench'));
    const { enrolment } = answer<{ enrolment: string }>(await this.onServer('enrolment'));
    const passwords = ['--password-file', this.secret('password', password)];
    const own = ['--new-password-file', this.secret('own-password', 'a password of its own')];
    await this.onDevice('enrol', enrolment, '--user', 'bench', ...passwords, ...own);
  }

  async close(): Promise<void> {
    const { server } = this;
    this.server = null;
    await server?.stop();
  }

  async backup(trees: readonly string[]): Promise<WithServer> {
    if (!this.hasSet) await this.addSet(trees);
    return this.measured(['backup', '--set', 'bench', '--all-folders', '--json']);
  }

  async addSet(trees: readonly string[]): Promise<void> {
    await this.onDevice('sets', 'add', 'bench', ...trees, '--no-default-exclude');
    await this.onDevice('sets', 'remove', 'Home'); // what a new device has; it is no part of what is measured
    this.hasSet = true;
  }

  restore(into: string): Promise<WithServer> {
    return this.measured(['restore', '--to', into, '--json']);
  }

  /** A command of the device that is timed. */
  async measured(args: readonly string[], env: Readonly<Record<string, string>> = {}): Promise<WithServer> {
    const memory = watchMemory(() => this.server?.pid);
    try {
      const program = { program: process.execPath, args: [HOLDFAST, ...args] };
      const measured = await measure({ ...program, env: { ...env, HOLDFAST_HOME: this.home } });
      return { ...measured, serverRss: memory.peak() };
    } finally {
      memory.stop();
    }
  }

  /** A command of the device that only has to work. */
  async onDevice<T>(...args: string[]): Promise<T> {
    return answer<T>(await holdfast(this.home, [...args, '--json']));
  }

  onServer(...args: string[]): ReturnType<typeof holdfastServer> {
    return holdfastServer([...args, '--data', this.data, '--json']);
  }

  private secret(name: string, value: string): string {
    const file = join(this.folder, name);
    writeFileSync(file, value, { mode: 0o600 });
    return file;
  }
}
