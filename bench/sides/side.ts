/** Who does the works: we, on a disk store and over TLS, and the peers. Each as whole processes, as a user would start them. */
import { mkdirSync, rmSync } from 'node:fs';
import type { Measured } from '../measure.ts';

export type Side = {
  readonly name: string;
  /** What takes up the place of what was backed up. */
  readonly repository: string;
  /** Begins anew with nothing stored. */
  reset(): Promise<void>;
  backup(trees: readonly string[]): Promise<Measured>;
  /** The newest, whole. */
  restore(into: string): Promise<Measured>;
  close(): Promise<void>;
};

export function empty(folder: string): void {
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
}
