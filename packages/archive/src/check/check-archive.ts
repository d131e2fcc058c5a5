// Checks that an archive can be restored, through an endpoint and with its keys.
//
// Nouns: a *snapshot*, *structure* (trees, parts, gone trees, lists), *content* (data and bundles), a *problem*: what was found, as data.
//
//   verify every snapshot: signature, MAC, description, chain                      check-snapshots.ts
//   read all structure below the verified ones, each chunk once                    walk-structure.ts
//   look up all content it needs; open all of it, a share, or none                 check-content.ts
//   if there are problems: which snapshots and paths need these chunks             affected.ts
//
// Damage never stops it and is never thrown; what is thrown is that the archive cannot be asked (no network, no access, aborted). Memory grows
// with the number of chunks by about 40 bytes each, not with their size.

import { createArchiveCrypto } from '../crypto-node/archive-crypto.ts';
import type { ArchiveEndpoint } from '../endpoint/endpoint.ts';
import type { DeviceList } from '../format/device-list.ts';
import { toHex } from '../format/ids.ts';
import type { ArchiveKeys } from '../format/keys.ts';
import type { VerifiedSnapshot } from '../keys/snapshot.ts';
import { createDecodePool } from '../restore/decode-pool.ts';
import { createSessionReader, type SessionReader } from '../restore/session-reader.ts';
import { affectedBy } from './affected.ts';
import { ContentCheck } from './check-content.ts';
import { checkSnapshots } from './check-snapshots.ts';
import { treeStructure } from './chunk-links.ts';
import { Locator } from './locator.ts';
import type { CheckProblem, ChunkProblem } from './problem.ts';
import { type ChunkFinding, type StructureVisitor, walkStructure } from './walk-structure.ts';

export type CheckOptions = {
  readonly endpoint: ArchiveEndpoint;
  readonly keys: ArchiveKeys;
  /** The device list that says whose snapshots count; verified by the caller (keys/device-list.ts). */
  readonly devices: DeviceList;
  /** Open content too: all of it, or a share between 0 and 1. Structure is always opened. */
  readonly readData?: boolean | number;
  /**
   * With a share: where in the circle of all ids it begins, 0 to 1. Whoever moves it on by the share each time has opened everything after
   * 1/share checks.
   */
  readonly readFrom?: number;
  /** Tell the store what is lost, so that the next backup sends it again. */
  readonly report?: boolean;
  /** Threads that open frames. */
  readonly workers?: number;
  readonly onEvent?: (event: CheckEvent) => void;
  readonly signal?: AbortSignal;
};

export type CheckEvent =
  | { readonly kind: 'snapshots'; readonly verified: number; readonly refused: number }
  | ({ readonly kind: 'progress' } & CheckCounts)
  /** As soon as it is found; whom it affects stands in the result only. */
  | { readonly kind: 'problem'; readonly problem: CheckProblem }
  | { readonly kind: 'tracing'; readonly problems: number };

export type CheckCounts = {
  readonly structure: number;
  readonly content: number;
  /** Content that was opened. */
  readonly contentRead: number;
  /** How much content that is which was found or opened, each chunk once. */
  readonly contentBytes: number;
  /** Read from the store. */
  readonly bytes: number;
};

export type CheckResult = CheckCounts & {
  readonly snapshots: number;
  readonly problems: readonly CheckProblem[];
};

/** Problems that are traced to snapshots and paths. An archive with more has lost whole packs; the rest is listed without. */
export const MAX_TRACED = 1000;

export async function checkArchive(options: CheckOptions): Promise<CheckResult> {
  const { keys, workers, report = false } = options;
  const endpoint = report ? options.endpoint : silent(options.endpoint);
  const pool = createDecodePool(keys, workers);
  const reader = createSessionReader({ endpoint, opener: pool, purpose: 'check' });
  const locator = new Locator(endpoint);
  try {
    return await new Check(options, reader, locator).run();
  } finally {
    await Promise.allSettled([reader.close(), locator.close(), pool.close()]);
  }
}

class Check {
  private readonly options: CheckOptions;
  private readonly reader: SessionReader;
  private readonly content: ContentCheck;
  /** The first about each chunk, by its id in hex. */
  private readonly findings = new Map<string, ChunkFinding>();
  private structure = 0;

  constructor(options: CheckOptions, reader: SessionReader, locator: Locator) {
    this.options = options;
    this.reader = reader;
    const { readData = false, readFrom: from = 0, signal } = options;
    const onFinding = (finding: ChunkFinding): void => this.found(finding);
    this.content = new ContentCheck({
      reader,
      locator,
      share: Number(readData),
      from,
      onFinding,
      onRead: () => this.emit({ kind: 'progress', ...this.counts() }),
      ...(signal === undefined ? {} : { signal }),
    });
  }

  async run(): Promise<CheckResult> {
    const { endpoint, keys, devices, signal } = this.options;
    const stored = await endpoint.snapshots(signal);
    const { verified, problems } = await checkSnapshots(stored, createArchiveCrypto(keys), devices);
    this.emit({ kind: 'snapshots', verified: verified.length, refused: stored.length - verified.length });
    for (const problem of problems) this.emit({ kind: 'problem', problem });
    await this.walk(verified);
    const chunkProblems = await this.trace(verified);
    return { ...this.counts(), snapshots: verified.length, problems: [...problems, ...chunkProblems] };
  }

  private async walk(snapshots: readonly VerifiedSnapshot[]): Promise<void> {
    const roots = snapshots.map(({ envelope }) => treeStructure(envelope.root));
    const visitor: StructureVisitor = {
      onNeeds: (_structure, needs) => {
        this.structure++;
        for (const need of needs) if ('content' in need) this.content.add(need.content);
      },
      onFinding: (finding) => this.found(finding),
      afterBatch: async () => {
        await this.content.lookUp(false);
        this.emit({ kind: 'progress', ...this.counts() });
      },
    };
    await walkStructure(this.reader, roots, visitor, this.options.signal);
    await this.content.lookUp(true);
    this.emit({ kind: 'progress', ...this.counts() });
  }

  private async trace(snapshots: readonly VerifiedSnapshot[]): Promise<ChunkProblem[]> {
    const findings = [...this.findings.values()];
    const ids = findings.slice(0, MAX_TRACED).map(({ id }) => id);
    if (ids.length === 0) return [];
    this.emit({ kind: 'tracing', problems: ids.length });
    const affected = await affectedBy(ids, snapshots, this.reader, this.options.signal);
    return findings.map((finding, i) => ({ ...finding, affected: affected[i] ?? [] }));
  }

  private found(finding: ChunkFinding): void {
    const hex = toHex(finding.id);
    if (this.findings.has(hex)) return;
    const kept = { ...finding, id: finding.id.slice() };
    this.findings.set(hex, kept);
    this.emit({ kind: 'problem', problem: { ...kept, affected: [] } });
  }

  private counts(): CheckCounts {
    const { chunks, read, bytes: contentBytes } = this.content.counts;
    const content = { content: chunks, contentRead: read, contentBytes };
    return { structure: this.structure, ...content, bytes: this.reader.stats().bytesRead };
  }

  private emit(event: CheckEvent): void {
    this.options.onEvent?.(event);
  }
}

/** An endpoint to which nothing is reported. */
function silent(endpoint: ArchiveEndpoint): Pick<ArchiveEndpoint, 'openSession'> {
  return {
    openSession: async (purpose, signal) => {
      const session = await endpoint.openSession(purpose, signal);
      return {
        id: session.id,
        epoch: session.epoch,
        present: session.present.bind(session),
        ask: session.ask.bind(session),
        putPack: session.putPack.bind(session),
        commit: session.commit.bind(session),
        locate: session.locate.bind(session),
        read: session.read.bind(session),
        reportLost: async () => undefined,
        close: () => session.close(),
      };
    },
  };
}
