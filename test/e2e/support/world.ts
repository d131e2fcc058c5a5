/** A world of its own for one test file: a real server, users, devices, folders; all below one temporary folder. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { compareManifests, type Difference, type Manifest, readManifest } from '../../../scripts/manifest.ts';
import {
  answer,
  type Ended,
  freePorts,
  holdfast,
  holdfastServer,
  type Ports,
  type RunningServer,
  startServer,
} from '../../../scripts/processes.ts';

export type BackupReport = {
  kind: 'committed' | 'current';
  snapshotId: string;
  stats: { files: number; entriesRead: number; bytes: number; bytesStored: number };
  skipped: { path: string; reason: string }[];
};

export const SET = 'work';
const OWNER = process.getuid?.() === 0;

export class World {
  readonly folder: string = mkdtempSync(join(tmpdir(), 'holdfast-e2e-'));
  readonly data: string = join(this.folder, 'server');
  readonly work: string = join(this.folder, 'work');
  private running: RunningServer | null = null;
  private ports: Ports | null = null;
  private restores = 0;

  get server(): RunningServer {
    if (this.running === null) throw new Error('the server does not run');
    return this.running;
  }

  /** The first start makes everything; later ones use the same ports, so devices find it again. */
  async start(): Promise<void> {
    this.ports ??= await freePorts();
    this.running = await startServer(this.data, this.ports, { flags: ['--address', 'localhost', '--show-words'] });
    mkdirSync(this.work, { recursive: true });
  }

  async stop(signal?: NodeJS.Signals): Promise<void> {
    await this.running?.stop(signal);
    this.running = null;
  }

  async close(): Promise<void> {
    await this.stop();
    rmSync(this.folder, { recursive: true, force: true });
  }

  /** The words of the recovery kit, which the first start printed. */
  kitWords(): string {
    return [...this.server.output().matchAll(/^\s+\d+ \w+.*$/gm)]
      .map(([line]) => line.replaceAll(/\d+/g, ' '))
      .join(' ')
      .trim()
      .replaceAll(/\s+/g, ' ');
  }

  onServer(...args: string[]): Promise<Ended> {
    return holdfastServer([...args, '--data', this.data]);
  }

  /** Makes an administrator and enrols a device of theirs. */
  async device(user: string, name: string): Promise<Device> {
    const [once, own] = [join(this.folder, `${user}.once`), join(this.folder, `${user}.own`)];
    const made = await this.onServer('admin', 'create', user, '--json');
    if (made.code === 0) {
      writeFileSync(once, answer<{ password: string }>(made).password, { mode: 0o600 });
      writeFileSync(own, `a password of ${user}`, { mode: 0o600 });
    }
    const { enrolment } = answer<{ enrolment: string }>(await this.onServer('enrolment', '--json'));
    const device = new Device(join(this.folder, `device-${name}`));
    const passwords = ['--password-file', made.code === 0 ? once : own, '--new-password-file', own];
    device.ok(await device.run('enrol', enrolment, '--user', user, ...passwords, '--name', name));
    device.ok(await device.run('sets', 'add', SET, this.work, '--no-default-exclude'));
    return device;
  }

  manifest(): Manifest {
    return readManifest(this.work, { owner: OWNER });
  }

  /** Restores a snapshot into an empty folder and says what differs from `expected`. */
  async restored(device: Device, snapshot: string, expected: Manifest): Promise<Difference[]> {
    const into = join(this.folder, `restored-${++this.restores}`);
    device.ok(await device.run('restore', '--snapshot', snapshot, '--to', into));
    const differences = compareManifests(
      expected,
      readManifest(join(into, relative('/', this.work)), { owner: OWNER }),
    );
    rmSync(into, { recursive: true, force: true });
    return differences;
  }
}

export class Device {
  readonly home: string;

  constructor(home: string) {
    this.home = home;
  }

  run(...args: string[]): Promise<Ended> {
    return holdfast(this.home, [...args, '--json']);
  }

  /** The command's answer; throws with all it printed unless it ended with 0. */
  ok<T>(ended: Ended): T {
    return answer<T>(ended);
  }

  async backup(...flags: string[]): Promise<BackupReport> {
    return this.ok<BackupReport>(await this.run('backup', '--set', SET, ...flags));
  }
}
