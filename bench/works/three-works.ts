/** What everybody does in turn: the first backup, one of nothing changed, a restore into an empty folder. */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { sizeOf } from '../folders.ts';
import type { Measured } from '../measure.ts';
import type { Side } from '../sides/side.ts';

export type Turn<M extends Measured = Measured> = {
  readonly first: M;
  readonly noChange: M;
  readonly restore: M;
  /** Bytes that the first backup takes. */
  readonly stored: number;
};
export type Turns = Record<string, Turn>;

/** What is restored stays in `folder` (run-works.ts says why). */
export async function threeWorks(side: Side, trees: readonly string[], folder: string): Promise<Turn> {
  const first = await side.backup(trees);
  const stored = sizeOf(side.repository);
  const noChange = await side.backup(trees);
  const into = join(folder, `restored by ${side.name}`);
  mkdirSync(into);
  const restore = await side.restore(into);
  return { first, noChange, restore, stored };
}

/** From nothing stored to the end. */
export async function turnOf(side: Side, trees: readonly string[], folder: string): Promise<Turn> {
  await side.reset();
  try {
    return await threeWorks(side, trees, folder);
  } finally {
    await side.close();
  }
}

export const pick = (turns: Turns, of: (turn: Turn) => number): Record<string, number> =>
  Object.fromEntries(Object.entries(turns).map(([name, each]) => [name, of(each)]));

/** MB, over all three. */
export const peak = <M extends Measured>({ first, noChange, restore }: Turn<M>, of: (measured: M) => number): number =>
  Math.max(...[first, noChange, restore].map(of)) / 1e6;
