/**
 * What is wanted of which chunk, for a stretch of the walk: as many files as may wait in memory at once. A chunk that several of them need is
 * fetched once. Chunks are numbered in the order in which the walk first needs them.
 */
import { Buffer } from 'node:buffer';
import type { Segment } from '../format/tree.ts';

export type Use<F> = {
  readonly file: F;
  /** In the joined segments of the file. */
  readonly position: number;
  readonly segment: Segment;
};

/** Segments that wait at once: with the entries that they belong to about 40 MB. */
export const WINDOW_SIZE = 40_960;

export class Window<F> {
  readonly ids: Uint8Array[] = [];
  private readonly uses: Use<F>[][] = [];
  private readonly index = new Map<string, number>();
  private count = 0;

  get full(): boolean {
    return this.count >= WINDOW_SIZE;
  }

  get empty(): boolean {
    return this.count === 0;
  }

  add(file: F, position: number, segment: Segment): void {
    const { id } = segment;
    const key = Buffer.from(id.buffer, id.byteOffset, id.length).toString('latin1');
    let chunk = this.index.get(key);
    if (chunk === undefined) {
      chunk = this.ids.push(id) - 1;
      this.uses.push([]);
      this.index.set(key, chunk);
    }
    (this.uses[chunk] as Use<F>[]).push({ file, position, segment });
    this.count++;
  }

  usesOf(chunk: number): readonly Use<F>[] {
    return this.uses[chunk] ?? [];
  }

  /** The uses of a chunk, which are let go of. */
  take(chunk: number): readonly Use<F>[] {
    const uses = this.uses[chunk] ?? [];
    this.uses[chunk] = [];
    return uses;
  }
}
