/**
 * A world of its own: a real server and real devices of one user, below one temporary folder, on loopback.
 *
 * Nouns: a *device* has a tree and a state folder; the *ledger* holds what was acknowledged; the *clock* is how far all
 * processes that start from now on are ahead of this machine.
 */
import type { ChildProcess } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { builtPrograms } from '../../../scripts/built-programs.ts';
import { compareManifests, type Difference, type Manifest, readManifest } from '../../../scripts/manifest.ts';
import {
  answer,
  type Ended,
  FROM_SOURCE,
  freePorts,
  holdfast,
  holdfastServer,
  type Ports,
  type Programs,
  ROOT,
  type RunningServer,
  type ServerOptions,
  startServer,
} from '../../../scripts/processes.ts';
import { type Death, type End, environmentOf } from '../faults/faults.ts';
import { Ledger, type Listed } from './ledger.ts';
import { requireTidyHome } from './leftovers.ts';
import { type Maintained, readMaintained } from './maintained.ts';
import type { Random } from './random.ts';
import { runToEnd, type Start } from './run-to-end.ts';
import { makeTree, type TreeSize } from './tree.ts';
import { newUser, type User, whoIs } from './user.ts';

export const SET = 'work';
/** Several packs. */
export const LARGE: TreeSize = { files: 300, largeBytes: 20_000_000 };
export const SMALL: TreeSize = { files: 200, largeBytes: 1_000_000 };
const SERVER_FLAGS = ['--address', 'localhost', '--listen', '127.0.0.1', '--log-level', 'warn', '--show-words'];
const USER = 'ada';
const OWNER = process.getuid?.() === 0;
/** Half of what a command takes is its compilation. */
const COMPILED = join(ROOT, 'node_modules/.cache/torture');

export type Device = { readonly name: string; readonly home: string; readonly tree: string };
/** What a run says in every form. */
export type Acknowledgement = Pick<BackupReport, 'kind' | 'snapshotId' | 'endedAt' | 'skippedCount'>;
export type BackupReport = {
  readonly kind: 'committed' | 'current';
  readonly snapshotId: string;
  readonly endedAt: number;
  readonly skippedCount: number;
  readonly skipped: readonly { readonly path: string; readonly reason: string }[];
  readonly stats: { readonly bytesStored: number };
};
export class World {
  readonly folder: string = mkdtempSync(join(tmpdir(), 'holdfast-torture-'));
  readonly ledger = new Ledger();
  readonly random: Random;
  private readonly size: TreeSize;
  readonly devices: Device[] = [];
  data: string = join(this.folder, 'server');
  clockMs = 0;
  /** Once it has begun, as they are shipped. */
  programs: Programs = FROM_SOURCE;
  /** See `Faults`; in campaigns. */
  witness: string | undefined;
  /** Which scenario or kind of round is on. */
  scene = 'begin';
  /** How many stay because of what only an old snapshot or a deleted file needs. */
  damagedPacks = 0;
  /** How long the last undisturbed run of each took, so that a kill can hit one. */
  readonly took = { backup: 1500, restore: 1500, maintain: 1500, start: 1500, enrol: 1500 };
  private ports: Ports | null = null;
  private running: RunningServer | null = null;
  private words = '';
  private admin: User | null = null;
  private enrolment = '';
  private folders = 0;

  constructor(random: Random, size: TreeSize = LARGE) {
    this.random = random;
    this.size = size;
  }

  /** A server, and two devices that have backed up once. */
  async begin(names: readonly string[] = ['laptop', 'desktop']): Promise<void> {
    this.programs = await builtPrograms();
    await this.startServer();
    const [made, shown] = await Promise.all([this.onServer(['admin', 'create', USER]), this.onServer(['enrolment'])]);
    this.admin = newUser(this.folder, USER, answer<{ password: string }>(made).password);
    this.enrolment = answer<{ enrolment: string }>(shown).enrolment;
    for (const name of names) await this.addDevice(name);
  }

  async end(): Promise<void> {
    await this.stopServer('SIGKILL');
    rmSync(this.folder, { recursive: true, force: true });
  }

  now(): number {
    return Date.now() + this.clockMs;
  }

  // -- the server ---------------------------------------------------------------------------------------------------

  get server(): RunningServer {
    if (this.running === null) throw new Error('the server does not run');
    return this.running;
  }

  get httpsPort(): number {
    return this.server.ports.https;
  }

  get storeDir(): string {
    return join(this.data, 'store');
  }

  /** The recovery kit's words, as the first start showed them. */
  get kitWords(): string {
    return this.words;
  }

  /** On the same ports each time. Rejects when it dies before it is ready. */
  async startServer(death?: Death): Promise<void> {
    this.ports ??= await freePorts();
    this.running = await startServer(this.data, this.ports, this.serverOptions(death));
    this.words ||= wordsIn(this.running.output());
  }

  /** Returns whether it came up; when it died of this, another one is started without. */
  async startServerOrDie(death: Death): Promise<boolean> {
    try {
      await this.startServer(death);
      return true;
    } catch (error) {
      if (!/ended with null/.test(String(error))) throw error;
      await this.startServer();
      return false;
    }
  }

  /** What has just been killed is still ending. */
  async isServerDead(): Promise<boolean> {
    const { ended } = this.server;
    return Promise.race([ended.then(() => true), new Promise<false>((resolve) => setImmediate(resolve, false))]);
  }

  /** Another server, in `data`, until it is ready or dies; returns whether it died. */
  async startOnce(data: string, { death, killAfterMs }: End): Promise<boolean> {
    let timer: NodeJS.Timeout | undefined;
    const onStart = (child: ChildProcess): void => {
      if (killAfterMs !== undefined) timer = setTimeout(() => child.kill('SIGKILL'), killAfterMs);
    };
    try {
      const began = performance.now();
      const server = await startServer(data, await freePorts(), { ...this.serverOptions(death), onStart });
      this.took.start = performance.now() - began;
      await server.stop();
      return false;
    } catch (error) {
      if (death === undefined && killAfterMs === undefined) throw error;
      if (!/the server ended with null/.test(String(error))) throw error;
      return true;
    } finally {
      clearTimeout(timer);
    }
  }

  async stopServer(signal: NodeJS.Signals = 'SIGTERM'): Promise<void> {
    const stopped = this.running;
    this.running = null;
    await stopped?.stop(signal);
  }

  /** Time goes on for everybody. */
  async advance(ms: number): Promise<void> {
    if (ms === 0) return;
    await this.stopServer();
    this.clockMs += ms;
    await this.startServer();
  }

  /** A job that died holds its place for two minutes. */
  afterTakeOver(): Promise<void> {
    return this.advance(5 * 60_000);
  }

  onServer(args: readonly string[], faults: End = {}): Promise<Ended> {
    return this.run((options) => holdfastServer([...args, '--data', this.data, '--json'], options), faults, args);
  }

  /** Maintenance beside the running server; its summary and its alerts. Rejects unless it ends well, or as `accept` says. */
  async maintain(job: string, accept: readonly number[] = [0], more: readonly string[] = []): Promise<Maintained> {
    const began = performance.now();
    const ended = await this.onServer(['maintain', job, ...more]);
    if (job === 'all') this.took.maintain = performance.now() - began;
    answer(ended, accept);
    return readMaintained(ended.stdout);
  }

  // -- devices ------------------------------------------------------------------------------------------------------

  device(name: string): Device {
    const found = this.devices.find((device) => device.name === name);
    if (found === undefined) throw new Error(`no device ${name}`);
    return found;
  }

  treeOf(device: string): string {
    return join(this.folder, `tree-${device}`);
  }

  async addDevice(name: string): Promise<Device> {
    const device = this.newDevice(name);
    answer(await this.enrol(device));
    await this.takeIn(device);
    return device;
  }

  /** A tree and the name of a state folder; nobody knows of it. */
  newDevice(name: string): Device {
    const device = { name, home: join(this.folder, `home-${name}`), tree: this.treeOf(name) };
    makeTree(device.tree, this.size, this.random.fork(`tree of ${name}`));
    return device;
  }

  async enrol({ home, name }: Device, end: End = {}, user: User | null = this.admin): Promise<Ended> {
    if (user === null) throw new Error('the world has not begun');
    const began = performance.now();
    const ended = await this.onDevice({ home }, ['enrol', this.enrolment, ...whoIs(user), '--name', name], end);
    if (ended.code === 0) this.took.enrol = performance.now() - began;
    return ended;
  }

  async newUser(name: string): Promise<User> {
    const { password } = answer<{ password: string }>(await this.onServer(['user', 'create', name]));
    return newUser(this.folder, name, password);
  }

  /** A device that is enrolled backs up for the first time; what the machine's user has at home is none of its business. */
  async takeIn(device: Device): Promise<void> {
    answer(await this.onDevice(device, ['sets', 'add', SET, device.tree, '--no-default-exclude']));
    answer(await this.onDevice(device, ['sets', 'remove', 'Home']));
    this.devices.push(device);
    await this.backup(device);
  }

  onDevice(device: Pick<Device, 'home'>, args: readonly string[], faults: End = {}): Promise<Ended> {
    return this.run((options) => holdfast(device.home, [...args, '--json'], options), faults, args);
  }

  manifest(device: Device): Manifest {
    return readManifest(device.tree, { owner: OWNER });
  }

  /** A backup that must end well; it is acknowledged by that. */
  async backup(device: Device): Promise<BackupReport> {
    const manifest = this.manifest(device);
    const began = performance.now();
    const ended = await this.onDevice(device, ['backup', '--set', SET]);
    const report = this.acknowledged<BackupReport>(device, answer(ended), manifest);
    if (report.kind === 'committed') this.took.backup = performance.now() - began;
    requireTidyHome(device.home);
    return report;
  }

  /** A backup of which anything may have become; what it has stored is in the ledger afterwards. Returns how it ended. */
  async disturbedBackup(device: Device, faults: End, accept: readonly number[] = [0]): Promise<Ended> {
    const manifest = this.manifest(device);
    const ended = await this.onDevice(device, ['backup', '--set', SET], faults);
    if (ended.code === 0) this.acknowledged<BackupReport>(device, answer(ended), manifest);
    else if (ended.signal !== 'SIGKILL') answer(ended, accept);
    return ended;
  }

  /** After a disturbance: a snapshot that nobody was told of is of the tree as it was then. */
  async adopt(device: Device, manifest: Manifest, by: Device = device): Promise<number> {
    const listed = await this.snapshots(by);
    const unknown = listed.filter(({ id, device: of }) => of.name === device.name && !this.ledger.has(id));
    for (const { id, receivedAt } of unknown)
      this.ledger.add({ device: device.name, snapshot: id, manifest, receivedAt });
    return unknown.length;
  }

  /** What it says that it has done is in the ledger from now on. */
  acknowledged<R extends Acknowledgement>(device: Device, report: R, manifest: Manifest): R {
    if (report.skippedCount > 0) throw new Error(`${device.name} skipped something: ${JSON.stringify(report)}`);
    const receivedAt = report.endedAt;
    this.ledger.add({ device: device.name, snapshot: report.snapshotId, manifest, receivedAt });
    return report;
  }

  /** All snapshots of the user; each must verify. */
  async snapshots(by: Device = this.devices[0] as Device): Promise<readonly Listed[]> {
    const list = answer<{ snapshots: Listed[]; damagedFiles: unknown[] }>(
      await this.onDevice(by, ['snapshots', '--all']),
    );
    if (list.damagedFiles.length > 0) throw new Error(`damaged: ${JSON.stringify(list.damagedFiles)}`);
    return list.snapshots;
  }

  /** A device that is not used any more: its snapshots stay, and others restore them. */
  forget(device: Device): void {
    this.devices.splice(this.devices.indexOf(device), 1);
    rmSync(device.home, { recursive: true });
    rmSync(device.tree, { recursive: true });
  }

  // -- restores -----------------------------------------------------------------------------------------------------

  newFolder(): string {
    const path = join(this.folder, `restored-${++this.folders}`);
    mkdirSync(path);
    return path;
  }

  /** By another device, a snapshot is found by the name of the device that made it. */
  restoreArgs(
    by: Pick<Device, 'name'>,
    { device, snapshot }: { device: string; snapshot: string },
    to: string,
  ): string[] {
    return ['restore', '--snapshot', snapshot, '--to', to, ...(by.name === device ? [] : ['--device', device])];
  }

  /** What differs in a restore that lies in `to`: paths are kept below the root of the file system. */
  differences(entry: { device: string; manifest: Manifest }, to: string): Difference[] {
    const tree = join(to, relative('/', this.treeOf(entry.device)));
    // Where the way to the tree itself is damaged, nothing of it came back
    const found: Manifest = existsSync(tree) ? readManifest(tree, { owner: OWNER }) : new Map();
    return compareManifests(entry.manifest, found);
  }

  /** Restores an acknowledged snapshot; throws unless it is equal to its manifest in everything. */
  async restores(entry: { device: string; snapshot: string; manifest: Manifest }, by?: Device): Promise<void> {
    const reader = by ?? this.readerOf(entry);
    const to = this.newFolder();
    const began = performance.now();
    const ended = await this.onDevice(reader, this.restoreArgs(reader, entry, to));
    this.took.restore = performance.now() - began;
    answer(ended);
    this.requireEqual(entry, to);
    this.discard(to);
  }

  discard(folder: string): void {
    rmSync(folder, { recursive: true });
  }

  /** The device itself while it is there, else the first. */
  readerOf(entry: { device: string }): Device {
    const reader = this.devices.find(({ name }) => name === entry.device) ?? this.devices[0];
    if (reader === undefined) throw new Error('no device');
    return reader;
  }

  requireEqual(entry: { device: string; snapshot: string; manifest: Manifest }, to: string): void {
    const differences = this.differences(entry, to);
    if (differences.length === 0) return;
    const shown = differences.slice(0, 5).map((difference) => JSON.stringify(difference));
    throw new Error(
      `snapshot ${entry.snapshot} of ${entry.device} came back with ${differences.length} differences: ${shown.join(' ')}`,
    );
  }

  // -- processes ----------------------------------------------------------------------------------------------------

  /** Of a process that is to suffer this. */
  environment(program: string, { death, road, jumpMs, clockOffMs = 0 }: End): Record<string, string> {
    const clockMs = this.clockMs + clockOffMs;
    return {
      NODE_COMPILE_CACHE: COMPILED,
      ...environmentOf({ program, scene: this.scene, clockMs, jumpMs, death, road, witness: this.witness }),
    };
  }

  private serverOptions(death?: Death): ServerOptions {
    const env = this.environment('start', { ...(death && { death }) });
    return { flags: SERVER_FLAGS, env, programs: this.programs };
  }

  private run(start: Start, end: End, command: readonly string[]): Promise<Ended> {
    const env = this.environment(command[0] ?? '', end);
    return runToEnd(start, { env, programs: this.programs, command, killAfterMs: end.killAfterMs });
  }
}

function wordsIn(output: string): string {
  const lines = output.match(/^ {4} ?\d.*$/gm) ?? [];
  return lines
    .join(' ')
    .replaceAll(/[\d\s]+/g, ' ')
    .trim();
}
