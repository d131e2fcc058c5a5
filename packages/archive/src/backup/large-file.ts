/** A file of 128 KiB or more, cut while it is read through a window (format §3.3), holes left out (§5.3). */
import { KIND } from '../format/kinds.ts';
import { type Segment, SMALL_FILE } from '../format/tree.ts';
import { rowSize } from '../source/rows.ts';
import type { Extent, OpenFile } from '../source/source.ts';
import { contentOf } from './content.ts';
import type { ItemReport } from './job-report.ts';
import type { JobTools } from './job-tools.ts';
import { failure, type Metadata, readXattrs, settled } from './reading.ts';
import type { Item } from './shared.ts';

/** An open file of which the first window is read. */
type Opened = { readonly file: OpenFile; readonly stream: Stream; readonly began: number };
export type Tiny = Metadata & { readonly small: Buffer };

export class LargeFile {
  private readonly tools: JobTools;
  private readonly window: Buffer;

  /** `window` holds at least two of the longest chunks. */
  constructor(tools: JobTools, window: Buffer) {
    this.tools = tools;
    this.window = window;
  }

  /** Opens and reads the first window. What turns out to be small is given back whole. */
  begin(item: Item): Opened | Tiny | { readonly report: ItemReport } {
    const { source } = this.tools;
    let file: OpenFile | null = null;
    try {
      const began = source.now();
      file = source.open(item.path);
      const stream = new Stream(file, file.extents(), this.window);
      stream.fill();
      const opened = { file, stream, began };
      if (!stream.ended || stream.end >= SMALL_FILE) return opened;
      const small = Buffer.from(this.window.subarray(0, stream.end));
      const metadata = this.metadata(opened);
      file.close();
      return { small, ...metadata };
    } catch (error) {
      file?.close();
      return { report: failure(error) };
    }
  }

  /** Cuts and stores all of it, and closes it. */
  finish(opened: Opened): ItemReport {
    try {
      const segments = this.cut(opened.stream);
      const { row, again, note, extents, xattrs } = this.metadata(opened);
      const content = contentOf({
        segments: segments.length > 0 ? segments : undefined,
        xattrs: xattrs.length > 0 ? xattrs : undefined,
        extents: extents ?? undefined,
      });
      return { kind: 'done', row, content, again, note, value: -1 };
    } catch (error) {
      return failure(error);
    } finally {
      opened.file.close();
    }
  }

  private cut(stream: Stream): Segment[] {
    const { cutData, packs, dataMax, controls, pace } = this.tools;
    const segments: Segment[] = [];
    while (stream.end > stream.start) {
      const length = cutData(this.window, stream.start, stream.end);
      const id = packs.store(KIND.data, this.window.subarray(stream.start, stream.start + length));
      segments.push({ id, offset: 0, length });
      stream.start += length;
      controls.addProgress(0, length);
      if (stream.end - stream.start < dataMax && !stream.ended) stream.fill();
      packs.tend();
      pace();
      controls.checkStop();
    }
    return segments;
  }

  private metadata({ file, stream, began }: Opened): Metadata {
    const row = file.stat();
    const again = !settled(row, began);
    const extents = stream.extentsRead(rowSize(row, 0));
    row.writeDoubleLE(extents ? Math.max(rowSize(row, 0), endOf(extents)) : stream.total, 32);
    return { row, again, extents, ...readXattrs(() => file.xattrs()) };
  }
}

const endOf = (extents: readonly Extent[]): number => {
  const last = extents.at(-1);
  return last ? last[0] + last[1] : 0;
};

/** The bytes of a file, or of its extents one after the other, in a window that moves along. */
class Stream {
  start = 0;
  end = 0;
  ended = false;
  total = 0;
  private readonly file: OpenFile;
  private readonly extents: readonly Extent[] | null;
  private readonly window: Buffer;
  private index = 0;
  private within = 0;

  constructor(file: OpenFile, extents: readonly Extent[] | null, window: Buffer) {
    this.file = file;
    this.extents = extents;
    this.window = window;
    this.ended = extents?.length === 0;
  }

  fill(): void {
    this.window.copyWithin(0, this.start, this.end);
    this.end -= this.start;
    this.start = 0;
    while (!this.ended && this.end < this.window.length) {
      const room = this.window.length - this.end;
      const count = this.extents
        ? this.readExtent(this.extents, room)
        : this.file.read(this.window, this.end, room, null);
      if (count === 0) this.ended = true;
      this.end += count;
      this.total += count;
    }
  }

  private readExtent(extents: readonly Extent[], room: number): number {
    const [offset, length] = extents[this.index] as Extent;
    const count = this.file.read(this.window, this.end, Math.min(room, length - this.within), offset + this.within);
    this.within += count;
    if (this.within === length && count > 0) {
      this.index++;
      this.within = 0;
      if (this.index === extents.length) this.ended = true;
    }
    return count;
  }

  /** The extents as far as they could be read: the file may have shrunk meanwhile. */
  extentsRead(size: number): readonly Extent[] | null {
    if (this.extents === null) return null;
    const read = this.extents.slice(0, this.index);
    const partly = this.extents[this.index];
    if (partly && this.within > 0) read.push([partly[0], this.within]);
    const [first] = read;
    if (read.length === 1 && first?.[0] === 0 && first[1] === size) return null;
    return read;
  }
}
