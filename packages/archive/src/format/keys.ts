// What holds an archive together (format §2.1), as data. Types only: keys/ makes, wraps and checks them.

/** FastCDC parameters (format §3.3): lengths in bytes, and how many top bits of the hash must be zero. */
export type CutParams = {
  readonly min: number;
  readonly normal: number;
  readonly max: number;
  readonly strictBits: number;
  readonly looseBits: number;
};

export type ArchiveKeys = {
  readonly archiveId: Uint8Array;
  readonly idKey: Uint8Array;
  readonly chunkerKey: Uint8Array;
  /** One content key per generation, from 1. */
  readonly contentKeys: ReadonlyMap<number, Uint8Array>;
  readonly dataParams: CutParams;
  readonly bundleParams: CutParams;
};
