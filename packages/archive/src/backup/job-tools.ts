/** What a worker's jobs work with. */
import type { Cut } from '../chunk/fastcdc.ts';
import type { ArchiveCrypto } from '../format/archive-crypto.ts';
import type { FileSource } from '../source/source.ts';
import type { FileTable } from './file-table.ts';
import type { PackFiller } from './pack-filler.ts';
import type { Controls, Plan } from './shared.ts';

export type JobTools = {
  readonly crypto: ArchiveCrypto;
  readonly source: FileSource;
  readonly files: FileTable;
  readonly packs: PackFiller;
  readonly plan: Plan;
  readonly controls: Controls;
  readonly cutData: Cut;
  readonly cutBundle: Cut;
  /** Longest piece of a data chunk. */
  readonly dataMax: number;
  /** Called after each piece of work: keeps to the share of the processor. */
  readonly pace: () => void;
  readonly report: (job: number, bytes: Buffer) => void;
};
