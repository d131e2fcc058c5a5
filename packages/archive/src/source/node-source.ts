/** The file system of this machine, through the synchronous calls of node:fs and the few it lacks (system/native.ts). */
import {
  type BigIntStats,
  closeSync,
  constants,
  fstatSync,
  lstatSync,
  openSync,
  readdirSync,
  readlinkSync,
  readSync,
  statfsSync,
  statSync,
} from 'node:fs';
import { extents, xattrs, xattrsFd } from '../system/native.ts';
import { compileExclusions, type Excludes } from './exclude.ts';
import { joinPath } from './paths.ts';
import { Reach } from './reach.ts';
import { FLAG, ROW_LENGTH, setName, TYPE, type TypeNumber, typeOf, viewOf, writeRow } from './rows.ts';
import type { Extent, Failure, FileSource, Listing, OpenFile, SourceOptions, Xattr } from './source.ts';

const BIGINT = { bigint: true } as const;
const BUFFER = { encoding: 'buffer' } as const;
/** Linux: a backup must not touch the access times of what it reads. */
const O_NOATIME = process.platform === 'linux' ? 0o1000000 : 0;
const READ = constants.O_RDONLY | (constants.O_NOFOLLOW ?? 0) | (constants.O_NONBLOCK ?? 0);
const SPARSE_UNIT = 512n;

/** Linux file systems that hold no files of anybody's: their numbers as statfs gives them. */
const PSEUDO: ReadonlySet<number> = new Set([
  0x9fa0, // proc
  0x62656572, // sysfs
  0x1cd1, // devpts
  0x64626720, // debugfs
  0x74726163, // tracefs
  0x73636673, // securityfs
  0x27e0eb, // cgroup
  0x63677270, // cgroup2
  0x6165676c, // pstore
  0xcafe4a11, // bpf
  0x62656570, // configfs
  0x65735543, // fusectl
  0xde5e81e4, // efivarfs
  0x42494e4d, // binfmt_misc
  0x19800202, // mqueue
  0x958458f6, // hugetlbfs
  0x67596969, // rpc_pipefs
  0x6e736673, // nsfs
  0x187, // autofs
]);

/** The entry of a source module (source.ts). */
export function createSource(options: SourceOptions): FileSource {
  return new NodeSource(options);
}

/** ENOENT and ENOTDIR: it is not there any more. */
export const isGone = (error: unknown): boolean => ['ENOENT', 'ENOTDIR'].includes(codeOf(error));
export const codeOf = (error: unknown): string => String((error as NodeJS.ErrnoException | null)?.code ?? error);

class NodeSource implements FileSource {
  private readonly reach = new Reach();
  private readonly excludes: Excludes;
  private readonly oneFileSystem: boolean;
  private noAtime = O_NOATIME;

  constructor(options: SourceOptions) {
    this.excludes = compileExclusions(options.exclude);
    this.oneFileSystem = options.oneFileSystem;
  }

  now(): number {
    return Date.now();
  }

  scan(directory: Buffer): Listing {
    const near = this.reach.to(directory);
    const device = statSync(near, BIGINT).dev;
    const found = readdirSync(near, BUFFER).sort(Buffer.compare);
    const rows = Buffer.allocUnsafeSlow(found.length * ROW_LENGTH);
    const view = viewOf(rows);
    const kept: Buffer[] = [];
    const failed: Failure[] = [];
    let nameAt = 0;
    for (const name of found) {
      const at = kept.length * ROW_LENGTH;
      const reason = this.look(directory, name, device, view, at);
      if (reason === 'kept') {
        setName(view, at, nameAt, name.length);
        nameAt += name.length;
        kept.push(name);
      } else if (reason !== null) failed.push({ name, reason });
    }
    return { count: kept.length, rows: rows.subarray(0, kept.length * ROW_LENGTH), names: Buffer.concat(kept), failed };
  }

  /** `null` for what is excluded or gone, else `kept` or why it is not. */
  private look(directory: Buffer, name: Buffer, device: bigint, view: DataView, at: number): string | null {
    const path = joinPath(directory, name);
    try {
      const stat = lstatSync(this.reach.to(path), BIGINT);
      const type = typeOf(stat);
      if (this.excludes(path, type === TYPE.directory)) return null;
      if (type === undefined || type === TYPE.socket) return type === undefined ? 'unknown type' : 'socket';
      writeRow(view, at, stat, type, this.isClosed(path, stat, type, device) ? FLAG.closed : 0);
      return 'kept';
    } catch (error) {
      return isGone(error) ? null : codeOf(error);
    }
  }

  private isClosed(path: Buffer, stat: BigIntStats, type: TypeNumber, device: bigint): boolean {
    if (type !== TYPE.directory || stat.dev === device) return false;
    return this.oneFileSystem || (process.platform === 'linux' && PSEUDO.has(statfsSync(this.reach.to(path)).type));
  }

  stat(path: Buffer, follow = false): Buffer {
    const near = this.reach.to(path);
    return rowFrom(follow ? statSync(near, BIGINT) : lstatSync(near, BIGINT));
  }

  open(path: Buffer): OpenFile {
    const near = this.reach.to(path);
    try {
      return new NodeFile(openSync(near, READ | this.noAtime));
    } catch (error) {
      // Only the owner of a file may leave its access time alone.
      if (codeOf(error) !== 'EPERM' || this.noAtime === 0) throw error;
      this.noAtime = 0;
      return new NodeFile(openSync(near, READ));
    }
  }

  readLink(path: Buffer): Buffer {
    return readlinkSync(this.reach.to(path), BUFFER);
  }

  xattrs(path: Buffer): readonly Xattr[] {
    return supported(xattrs(this.reach.to(path)));
  }

  close(): void {
    this.reach.release();
  }
}

class NodeFile implements OpenFile {
  private readonly fd: number;
  private last: BigIntStats | null = null;

  constructor(fd: number) {
    this.fd = fd;
  }

  stat(): Buffer {
    this.last = fstatSync(this.fd, BIGINT);
    return rowFrom(this.last);
  }

  extents(): readonly Extent[] | null {
    const stat = this.last ?? fstatSync(this.fd, BIGINT);
    if (stat.blocks * SPARSE_UNIT >= stat.size) return null;
    const size = Number(stat.size);
    const found = extents(this.fd, size);
    if (found === 'unsupported') return null;
    const dense = found.length === 1 && found[0]?.[0] === 0 && found[0][1] === size;
    return dense ? null : found;
  }

  read(into: Buffer, at: number, length: number, position: number | null): number {
    return readSync(this.fd, into, at, length, position);
  }

  xattrs(): readonly Xattr[] {
    return supported(xattrsFd(this.fd));
  }

  close(): void {
    closeSync(this.fd);
  }
}

const NONE: readonly Xattr[] = [];
const supported = (found: readonly Xattr[] | 'unsupported') => (found === 'unsupported' ? NONE : found);

function rowFrom(stat: BigIntStats): Buffer {
  const row = Buffer.allocUnsafe(ROW_LENGTH);
  const type = typeOf(stat);
  if (type === undefined) throw Object.assign(new Error('An entry of an unknown type.'), { code: 'unknown type' });
  writeRow(viewOf(row), 0, stat, type);
  return row;
}
