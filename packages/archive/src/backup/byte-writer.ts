/** Bytes appended one value after the other, little-endian: for what stays on this machine. */
export class ByteWriter {
  private buffer: Buffer;
  private view: DataView;
  length = 0;

  constructor(capacity = 1024) {
    this.buffer = Buffer.allocUnsafeSlow(capacity);
    this.view = new DataView(this.buffer.buffer, this.buffer.byteOffset, capacity);
  }

  u8(n: number): void {
    this.reserve(1);
    this.view.setUint8(this.length, n);
    this.length += 1;
  }

  u16(n: number): void {
    this.reserve(2);
    this.view.setUint16(this.length, n, true);
    this.length += 2;
  }

  u32(n: number): void {
    this.reserve(4);
    this.view.setUint32(this.length, n, true);
    this.length += 4;
  }

  f64(n: number): void {
    this.reserve(8);
    this.view.setFloat64(this.length, n, true);
    this.length += 8;
  }

  bytes(b: Uint8Array): void {
    this.reserve(b.length);
    this.buffer.set(b, this.length);
    this.length += b.length;
  }

  /** Length in front, up to 2^32 - 1 bytes. */
  sized(b: Uint8Array): void {
    this.u32(b.length);
    this.bytes(b);
  }

  /** What was written, a view that is valid until the next write. */
  written(): Buffer {
    return this.buffer.subarray(0, this.length);
  }

  /** Hands the memory out; the writer must not be used afterwards. */
  finish(): Buffer {
    return this.buffer.subarray(0, this.length);
  }

  reset(): void {
    this.length = 0;
  }

  private reserve(count: number): void {
    const needed = this.length + count;
    if (needed <= this.buffer.length) return;
    const larger = Buffer.allocUnsafeSlow(Math.max(needed, this.buffer.length * 2));
    larger.set(this.buffer.subarray(0, this.length));
    this.buffer = larger;
    this.view = new DataView(larger.buffer, larger.byteOffset, larger.length);
  }
}

/** Reads what a ByteWriter wrote; byte strings are views. */
export class ByteReader {
  readonly bytes: Buffer;
  at: number;

  constructor(bytes: Buffer, at = 0) {
    this.bytes = bytes;
    this.at = at;
  }

  u8(): number {
    return this.bytes[this.at++] as number;
  }

  u16(): number {
    this.at += 2;
    return this.bytes.readUInt16LE(this.at - 2);
  }

  u32(): number {
    this.at += 4;
    return this.bytes.readUInt32LE(this.at - 4);
  }

  f64(): number {
    this.at += 8;
    return this.bytes.readDoubleLE(this.at - 8);
  }

  take(length: number): Buffer {
    if (this.at + length > this.bytes.length) throw new RangeError('A string runs past the end.');
    this.at += length;
    return this.bytes.subarray(this.at - length, this.at);
  }

  sized(): Buffer {
    return this.take(this.u32());
  }
}

/** A view as a Buffer: nothing is copied. */
export function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
}
