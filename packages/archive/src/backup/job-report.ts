/**
 * What a worker reports of one job: the outcome of each item in the job's order, flat, with the ids they name once at the end.
 *
 * ```
 * u32 items, u32 where the ids begin, u32 bundles, u32 where each item begins, bundles: (u32 id number, u32 plain length)*
 * item: u8 outcome, u32 value of the file table, then
 *   failed:      u8 gone, reason as sized text
 *   done, same:  u8 has row, row?, u8 has file id, 16 bytes?, u8 again, note as sized text, content
 * ```
 */
import { ROW_LENGTH } from '../source/rows.ts';
import { ByteReader, ByteWriter } from './byte-writer.ts';
import { type Content, IdTable, idAt, readContent, writeContent } from './content.ts';

const OUTCOME = { failed: 0, done: 1, same: 2 } as const;
const HEAD = 12;

export type ItemReport =
  | { readonly kind: 'failed'; readonly reason: string; readonly gone: boolean }
  | {
      readonly kind: 'done' | 'same';
      /** The entry as it was when it had been read; `null` if it was not opened. */
      readonly row: Buffer | null;
      readonly content: Content;
      /** Changed so shortly before it was read that a later change might not show: to be read again next time. */
      readonly again: boolean;
      /** Attributes that could not be read, as a reason; empty if they could. */
      readonly note: string;
      /** With `same`: what the file table says of where the content is known from. */
      readonly value: number;
    };

export type Bundle = { readonly id: Uint8Array; readonly length: number };

export class JobReportWriter {
  private readonly body = new ByteWriter(4096);
  private readonly ids = new IdTable();
  private readonly bundles: Bundle[] = [];
  private readonly starts: number[] = [];

  bundle(id: Uint8Array, length: number): void {
    this.bundles.push({ id, length });
  }

  add(report: ItemReport): void {
    const { body } = this;
    this.starts.push(body.length);
    body.u8(OUTCOME[report.kind]);
    body.u32(report.kind === 'same' ? report.value : 0);
    if (report.kind === 'failed') {
      body.u8(report.gone ? 1 : 0);
      body.sized(Buffer.from(report.reason));
      return;
    }
    body.u8(report.row ? 1 : 0);
    if (report.row) body.bytes(report.row);
    const { fileId } = report.content;
    body.u8(fileId ? 1 : 0);
    if (fileId) body.bytes(fileId);
    body.u8(report.again ? 1 : 0);
    body.sized(Buffer.from(report.note));
    writeContent(body, report.content, this.ids);
  }

  finish(): Buffer {
    const bodyAt = HEAD + 4 * this.starts.length + 8 * this.bundles.length;
    const out = new ByteWriter(bodyAt + this.body.length + 32 * (this.ids.count + this.bundles.length));
    out.u32(this.starts.length);
    out.u32(0);
    out.u32(this.bundles.length);
    for (const start of this.starts) out.u32(bodyAt + start);
    for (const { id, length } of this.bundles) {
      out.u32(this.ids.numberOf(id));
      out.u32(length);
    }
    out.bytes(this.body.written());
    const idsAt = out.length;
    out.bytes(this.ids.bytes());
    const bytes = out.finish();
    bytes.writeUInt32LE(idsAt, 4);
    return bytes;
  }
}

/** Decodes item by item, when it is asked for. */
export class JobReport {
  readonly count: number;
  private readonly bytes: Buffer;
  private readonly ids: Buffer;

  constructor(bytes: Buffer) {
    this.bytes = bytes;
    this.count = bytes.readUInt32LE(0);
    this.ids = bytes.subarray(bytes.readUInt32LE(4));
  }

  bundles(): Bundle[] {
    const reader = new ByteReader(this.bytes, HEAD + 4 * this.count);
    const count = this.bytes.readUInt32LE(8);
    return Array.from({ length: count }, () => ({ id: idAt(this.ids, reader.u32()), length: reader.u32() }));
  }

  /** The file table's value of a `same`, else -1. */
  sameAs(i: number): number {
    const at = this.start(i);
    return this.bytes[at] === OUTCOME.same ? this.bytes.readUInt32LE(at + 1) : -1;
  }

  /** Byte strings are views of the report. */
  item(i: number): ItemReport {
    const reader = new ByteReader(this.bytes, this.start(i));
    const outcome = reader.u8();
    const value = reader.u32();
    if (outcome === OUTCOME.failed) {
      const gone = reader.u8() === 1;
      return { kind: 'failed', reason: reader.sized().toString(), gone };
    }
    const row = reader.u8() === 1 ? reader.take(ROW_LENGTH) : null;
    const fileId = reader.u8() === 1 ? reader.take(16) : undefined;
    const again = reader.u8() === 1;
    const note = reader.sized().toString();
    const content = readContent(reader, this.ids, fileId);
    return { kind: outcome === OUTCOME.same ? 'same' : 'done', row, content, again, note, value };
  }

  private start(i: number): number {
    return this.bytes.readUInt32LE(HEAD + 4 * i);
  }
}
