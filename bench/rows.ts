import { median } from './measure.ts';
import type { Row } from './table.ts';
import type { Sample, Work } from './works.ts';

/** Which work of ours stands beside which of a peer's. */
const PAIRS: readonly { work: string; side: 'ours-disk' | 'ours-server'; of: Work }[] = [
  { work: 'first-backup-disk', side: 'ours-disk', of: 'first-backup' },
  { work: 'first-backup-server', side: 'ours-server', of: 'first-backup' },
  { work: 'no-change', side: 'ours-disk', of: 'no-change' },
  { work: 'no-change-server', side: 'ours-server', of: 'no-change' },
  { work: 'restore-disk', side: 'ours-disk', of: 'restore' },
  { work: 'restore-server', side: 'ours-server', of: 'restore' },
];

/** `samples` by side and work, as `restic restore`; each work beside each peer. */
export function rowsOf(samples: ReadonlyMap<string, Sample[]>, peers: readonly string[]): Row[] {
  const of = (side: string, work: Work, pick: (sample: Sample) => number): number =>
    median((samples.get(`${side} ${work}`) ?? []).map(pick));
  return PAIRS.flatMap(({ work, side, of: kind }) =>
    (peers.length > 0 ? peers : ['none']).map((peer) => {
      const ours = of(side, kind, ({ seconds }) => seconds);
      const theirs = of(peer, kind, ({ seconds }) => seconds);
      return {
        work,
        peer,
        ours_s: ours,
        peer_s: theirs,
        ratio: theirs / ours,
        ours_bytes: of(side, kind, ({ bytes }) => bytes),
        peer_bytes: of(peer, kind, ({ bytes }) => bytes),
        ours_rss: of(side, kind, ({ rss }) => rss),
        peer_rss: of(peer, kind, ({ rss }) => rss),
        server_rss: side === 'ours-server' ? of(side, kind, ({ serverRss }) => serverRss) : null,
      };
    }),
  );
}
