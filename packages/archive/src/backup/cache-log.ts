/**
 * A file that only grows, in transactions: records are appended as they come, a footer makes them count, and one of two slots
 * in the head points at the last footer. A crash at any moment leaves the state before or after a transaction.
 *
 * ```
 * head:    "HFCACHE1" · binding (32) · slot · slot                         128 bytes
 * slot:    f64 footer at · f64 footer length · u32 serial · u32 crc of the 20 bytes before
 * data:    record... · footer · record... · footer
 * footer:  f64, f64 place of the footer before (0, 0: none) · payload · 16 bytes of SHA-256 over all of it
 * ```
 * The binding says whose cache it is; another's is no cache. A new file is written beside the old one and renamed over it.
 */
import { hash } from 'node:crypto';
import { closeSync, fdatasyncSync, fstatSync, openSync, readSync, renameSync, rmSync, writeSync } from 'node:fs';
import { crc32 } from 'node:zlib';
import { ByteWriter } from './byte-writer.ts';

const MAGIC = Buffer.from('HFCACHE1');
const HEAD = 128;
const SLOT_AT = [40, 64] as const;
const SLOT = 24;
const FOOTER_HEAD = 16;
const CHECK = 16;
const WRITE_AT_ONCE = 1024 * 1024;
const PRIVATE = 0o600;

/** Where records go and come from. */
export interface RecordLog {
  append(bytes: Uint8Array): number;
  /** A copy of what was appended from `at` on: fewer bytes than `length` where less follows, or is not written yet. */
  read(at: number, length: number): Buffer;
  /** Bytes of records and footers: no record ends behind it. */
  readonly size: number;
  /** Makes all that was appended count. */
  commit(payload: Uint8Array): void;
  close(): void;
}

type Place = { readonly at: number; readonly length: number };
type Slot = { readonly footer: Place; readonly serial: number };

export class FileLog implements RecordLog {
  private readonly fd: number;
  private readonly path: string;
  private temporary: string | null;
  private last: Slot;
  private written: number;
  private readonly pending = new ByteWriter(WRITE_AT_ONCE + 65_536);
  private closed = false;

  private constructor(fd: number, path: string, temporary: string | null, last: Slot, written: number) {
    this.fd = fd;
    this.path = path;
    this.temporary = temporary;
    this.last = last;
    this.written = written;
  }

  /** A file that takes the place of `path` with its first transaction. */
  static create(path: string, binding: Uint8Array): FileLog {
    const temporary = `${path}.new`;
    const fd = openSync(temporary, 'w+', PRIVATE);
    const head = Buffer.alloc(HEAD);
    head.set(MAGIC);
    head.set(binding, 8);
    writeSync(fd, head);
    return new FileLog(fd, path, temporary, { footer: { at: 0, length: 0 }, serial: 0 }, HEAD);
  }

  /** The log as its last transaction left it and the payloads of all, oldest first; `null` if there is none that can be trusted. */
  static open(path: string, binding: Uint8Array): { log: FileLog; payloads: Buffer[] } | null {
    let fd: number;
    try {
      fd = openSync(path, 'r+');
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
      throw error;
    }
    const slot = lastSlot(fd, binding);
    const payloads = slot && readFooters(fd, slot.footer);
    if (!slot || !payloads) {
      closeSync(fd);
      return null;
    }
    return { log: new FileLog(fd, path, null, slot, slot.footer.at + slot.footer.length), payloads };
  }

  get size(): number {
    return this.written + this.pending.length;
  }

  append(bytes: Uint8Array): number {
    const at = this.size;
    this.pending.bytes(bytes);
    if (this.pending.length >= WRITE_AT_ONCE) this.flush();
    return at;
  }

  read(at: number, length: number): Buffer {
    this.checkOpen();
    if (at >= this.written) {
      return Buffer.from(this.pending.written().subarray(at - this.written, at - this.written + length));
    }
    return readAt(this.fd, at, Math.min(length, this.written - at)) ?? Buffer.alloc(0);
  }

  commit(payload: Uint8Array): void {
    const head = Buffer.alloc(FOOTER_HEAD);
    head.writeDoubleLE(this.last.footer.at, 0);
    head.writeDoubleLE(this.last.footer.length, 8);
    const body = Buffer.concat([head, payload]);
    const at = this.append(Buffer.concat([body, checkOf(body)]));
    this.flush();
    fdatasyncSync(this.fd);
    this.last = { footer: { at, length: body.length + CHECK }, serial: this.last.serial + 1 };
    writeSync(this.fd, slotBytes(this.last), 0, SLOT, SLOT_AT[this.last.serial % 2]);
    fdatasyncSync(this.fd);
    if (this.temporary) renameSync(this.temporary, this.path);
    this.temporary = null;
  }

  close(): void {
    if (this.closed) return;
    this.closed = true;
    closeSync(this.fd);
    if (this.temporary) rmSync(this.temporary, { force: true });
  }

  /** A run that was stopped may come here late, when the descriptor is another file's. */
  private checkOpen(): void {
    if (this.closed) throw new Error('The cache is closed.');
  }

  private flush(): void {
    this.checkOpen();
    const bytes = this.pending.written();
    for (let done = 0; done < bytes.length; )
      done += writeSync(this.fd, bytes, done, bytes.length - done, this.written + done);
    this.written += bytes.length;
    this.pending.reset();
  }
}

/** For a backup that keeps no cache. */
export class MemoryLog implements RecordLog {
  private readonly records = new Map<number, Buffer>();
  size = 0;

  append(bytes: Uint8Array): number {
    const at = this.size;
    this.records.set(at, Buffer.from(bytes));
    this.size += bytes.length;
    return at;
  }

  read(at: number): Buffer {
    return Buffer.from(this.records.get(at) ?? []);
  }

  commit(): void {}

  close(): void {
    this.records.clear();
  }
}

function readAt(fd: number, at: number, length: number): Buffer | null {
  const bytes = Buffer.allocUnsafe(length);
  let done = 0;
  while (done < length) {
    const count = readSync(fd, bytes, done, length - done, at + done);
    if (count === 0) return null;
    done += count;
  }
  return bytes;
}

const checkOf = (bytes: Uint8Array): Buffer => hash('sha256', bytes, 'buffer').subarray(0, CHECK);

function slotBytes({ footer, serial }: Slot): Buffer {
  const bytes = Buffer.alloc(SLOT);
  bytes.writeDoubleLE(footer.at, 0);
  bytes.writeDoubleLE(footer.length, 8);
  bytes.writeUInt32LE(serial, 16);
  bytes.writeUInt32LE(crc32(bytes.subarray(0, 20)), 20);
  return bytes;
}

function lastSlot(fd: number, binding: Uint8Array): Slot | null {
  const head = readAt(fd, 0, HEAD);
  if (!head?.subarray(0, 8).equals(MAGIC) || !head.subarray(8, 40).equals(binding)) return null;
  const slots = SLOT_AT.map((at) => readSlot(head.subarray(at, at + SLOT))).filter((slot) => slot !== null);
  return slots.sort((a, b) => b.serial - a.serial)[0] ?? null;
}

function readSlot(bytes: Buffer): Slot | null {
  if (crc32(bytes.subarray(0, 20)) !== bytes.readUInt32LE(20)) return null;
  const serial = bytes.readUInt32LE(16);
  const footer = placeAt(bytes);
  return serial === 0 || footer === null ? null : { footer, serial };
}

function placeAt(bytes: Buffer): Place | null {
  const [at, length] = [bytes.readDoubleLE(0), bytes.readDoubleLE(8)];
  return Number.isSafeInteger(at) && Number.isSafeInteger(length) && at >= 0 ? { at, length } : null;
}

function readFooters(fd: number, newest: Place): Buffer[] | null {
  const payloads: Buffer[] = [];
  const { size } = fstatSync(fd);
  for (let place = newest; place.length > 0; ) {
    if (place.length < FOOTER_HEAD + CHECK || place.at + place.length > size) return null;
    const bytes = readAt(fd, place.at, place.length);
    const body = bytes?.subarray(0, -CHECK);
    if (!bytes || !body || !checkOf(body).equals(bytes.subarray(-CHECK))) return null;
    payloads.unshift(body.subarray(FOOTER_HEAD));
    const before = placeAt(body);
    if (before === null || (before.length > 0 && before.at >= place.at)) return null;
    place = before;
  }
  return payloads;
}
