/** The snapshot object at the end of a run (format §6.1). */
import { platform, release } from 'node:os';
import type { ArchiveCrypto } from '../format/archive-crypto.ts';
import { MAX_SKIPPED } from '../format/snapshot.ts';
import { type SealedSnapshot, sealSnapshot } from '../keys/snapshot.ts';
import type { Totals } from './cache.ts';
import type { Link } from './chain.ts';
import type { BackupOptions } from './options.ts';
import { lossesFirst, type Skip } from './skip.ts';

export type SnapshotInput = {
  readonly options: Pick<
    BackupOptions,
    'keys' | 'sign' | 'deviceId' | 'deviceName' | 'setId' | 'setName' | 'destinationId' | 'agentVersion' | 'now'
  >;
  readonly roots: readonly Uint8Array[];
  readonly crypto: ArchiveCrypto;
  readonly root: Uint8Array;
  readonly parent: Link | null;
  readonly totals: Totals;
  readonly skipped: readonly Skip[];
  readonly started: number;
  readonly partial: boolean;
};

export function makeSnapshot(input: SnapshotInput): Promise<SealedSnapshot> {
  const { options, parent, skipped } = input;
  return sealSnapshot(
    {
      archiveId: options.keys.archiveId,
      deviceId: options.deviceId,
      setId: options.setId,
      destinationId: options.destinationId,
      sequence: (parent?.envelope.sequence ?? 0) + 1,
      deviceTime: options.now(),
      root: input.root,
      parent: parent?.id ?? null,
      partial: input.partial,
    },
    {
      deviceName: options.deviceName,
      setName: options.setName,
      paths: input.roots,
      counts: input.totals,
      agentVersion: options.agentVersion,
      started: input.started,
      skipped: lossesFirst(skipped).slice(0, MAX_SKIPPED),
      skippedCount: skipped.length,
      os: `${platform()} ${release()}`,
    },
    input.crypto,
    options.sign,
  );
}
