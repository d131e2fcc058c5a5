/**
 * Paths longer than the system takes in one call (4,096 bytes on Linux). A directory near the limit is opened and
 * what is below it is named through it, `/proc/self/fd/N/rest`, again and again until the rest is short enough.
 */
import { closeSync, constants, openSync } from 'node:fs';

/** Room is left for `/proc/self/fd/N/` and for one more name of 255 bytes. */
const LONGEST = 3_800;
const KEPT_OPEN = 8;
/** Linux: passing through a directory needs no right to read it. */
const O_PATH = 0o10000000;
const SLASH = 0x2f;

export class Reach {
  private readonly open = new Map<string, number>();

  /** A path to the same entry that the system takes, valid until the next call. */
  to(path: Buffer): Buffer {
    if (path.length <= LONGEST || process.platform !== 'linux') return path;
    if (this.open.size > KEPT_OPEN) this.release();
    let near = path;
    let prefix = 0;
    let passed = 0;
    while (near.length > LONGEST) {
      const cut = near.lastIndexOf(SLASH, LONGEST);
      if (cut <= prefix) return near; // a name longer than any system allows: let the call say so
      passed += cut - prefix;
      const fd = this.descriptor(path.subarray(0, passed).toString('latin1'), near.subarray(0, cut));
      const head = Buffer.from(`/proc/self/fd/${fd}/`);
      passed += 1;
      near = Buffer.concat([head, path.subarray(passed)]);
      prefix = head.length;
    }
    return near;
  }

  private descriptor(key: string, directory: Buffer): number {
    const kept = this.open.get(key);
    if (kept !== undefined) return kept;
    const fd = openSync(directory, O_PATH | constants.O_DIRECTORY | constants.O_NOFOLLOW);
    this.open.set(key, fd);
    return fd;
  }

  /** Closes the directories, since they may be renamed or removed before they are needed again. */
  release(): void {
    for (const fd of this.open.values()) closeSync(fd);
    this.open.clear();
  }
}
