// The body of a commit: `u32 length || snapshot object || pack`, the pack to the end and only if there is one.

import { MAX_SNAPSHOT_OBJECT, WireError } from '@holdfast/protocol/storage-wire.ts';

/** Hands out an exact number of bytes from a stream of chunks, and then the rest as a stream. */
class Bytes {
  private readonly source: AsyncIterator<Uint8Array>;
  private held: Uint8Array = new Uint8Array(0);

  constructor(source: AsyncIterable<Uint8Array>) {
    this.source = source[Symbol.asyncIterator]();
  }

  async take(length: number): Promise<Uint8Array> {
    const parts: Uint8Array[] = [];
    for (let missing = length; missing > 0; ) {
      if (this.held.length === 0 && !(await this.more())) throw new WireError('it is cut off');
      const part = this.held.subarray(0, missing);
      this.held = this.held.subarray(part.length);
      parts.push(part);
      missing -= part.length;
    }
    return Buffer.concat(parts);
  }

  async *rest(): AsyncGenerator<Uint8Array> {
    do {
      if (this.held.length > 0) yield this.held;
      this.held = new Uint8Array(0);
    } while (await this.more());
  }

  private async more(): Promise<boolean> {
    const next = await this.source.next();
    if (next.done) return false;
    this.held = next.value;
    return true;
  }
}

export type CommitBody = { readonly object: Uint8Array; readonly rest: AsyncIterable<Uint8Array> };

export async function splitCommit(body: AsyncIterable<Uint8Array>): Promise<CommitBody> {
  const bytes = new Bytes(body);
  const length = Buffer.from(await bytes.take(4)).readUInt32BE();
  if (length === 0 || length > MAX_SNAPSHOT_OBJECT) throw new WireError(`a snapshot of ${length} bytes`);
  return { object: await bytes.take(length), rest: bytes.rest() };
}

/** Reads to the end: nothing may follow where no pack was announced. */
export async function requireEnd(rest: AsyncIterable<Uint8Array>): Promise<void> {
  for await (const chunk of rest) if (chunk.length > 0) throw new WireError('bytes follow the snapshot');
}

/** Lets the caller finish sending what is not needed. */
export async function drain(rest: AsyncIterable<Uint8Array>): Promise<void> {
  for await (const _ of rest);
}
