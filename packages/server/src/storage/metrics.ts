// What the storage counts. Whoever starts it makes Prometheus counters of these.

export const COUNTERS = {
  packs_stored: 'Packs stored.',
  packs_repeated: 'Packs that were sent though they were here.',
  pack_bytes_stored: 'Bytes of stored packs.',
  packs_refused: 'Packs that were refused as damaged.',
  links_missing: 'Uploads refused because a link led nowhere.',
  sessions_opened: 'Sessions opened.',
  sessions_silent: 'Sessions ended because nothing was heard of them for an hour.',
  snapshots_committed: 'Snapshots committed.',
  snapshots_forked: 'Snapshots whose chain had another head than their parent.',
  snapshots_retired: 'Snapshots retired.',
  ids_asked: 'Ids asked for.',
  bytes_read: 'Bytes of packs sent to readers.',
  chunks_condemned: 'Locations condemned by collect.',
  chunks_rescued: 'Locations that collect had condemned and a snapshot or tree still needed.',
  chunks_deleted: 'Locations deleted by collect.',
  chunks_lost: 'Chunks found lost.',
  packs_deleted: 'Packs deleted.',
  pack_bytes_deleted: 'Bytes of deleted packs.',
  packs_compacted: 'Packs that compaction replaced.',
  pack_bytes_verified: 'Bytes read by verify.',
  packs_damaged: 'Packs that verify found damaged.',
} as const;

export type CounterName = keyof typeof COUNTERS;

export type Metrics = { add(counter: CounterName, amount?: number): void };

export const NO_METRICS: Metrics = { add: () => {} };
