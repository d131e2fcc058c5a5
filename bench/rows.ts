/**
 * The table's rows as data: what is measured, in which unit, and what it has to reach. Works (works/) bring the figures;
 * `judge` says what was reached. One condition a row, so that nothing reached in one half hides what is missed in the other.
 */
import type { PeerName } from './sides/peers.ts';
import { TAR_ZSTD } from './sides/tar.ts';

export type Unit = 's' | 'MB' | 'MB/s' | '%' | 'x' | 'bytes' | 'ids';

/** `null`: there is no such goal. */
type Marks = { readonly must: number | null; readonly stretch: number | null };
export type Goal =
  /** How many times less (time or bytes) than what stands beside it in the same run. */
  | ({ readonly kind: 'less-than'; readonly than: PeerName | typeof TAR_ZSTD } & Marks)
  | ({ readonly kind: 'at-most' } & Marks)
  | ({ readonly kind: 'at-least' } & Marks)
  /** Only told, beside the peer if there is one. */
  | { readonly kind: 'told'; readonly than: PeerName | null };

export type Row = { readonly what: string; readonly unit: Unit; readonly goal: Goal };

const lessThanRestic = (must: number | null, stretch: number | null): Goal => ({
  kind: 'less-than',
  than: 'restic',
  must,
  stretch,
});
const atMost = (must: number, stretch: number | null = null): Goal => ({ kind: 'at-most', must, stretch });
const atLeast = (must: number, stretch: number | null = null): Goal => ({ kind: 'at-least', must, stretch });
const told = (than: PeerName | null = null): Goal => ({ kind: 'told', than });

export const ROWS = {
  'first-disk': { what: 'first backup, engine to disk store', unit: 's', goal: lessThanRestic(3.5, 5) },
  'first-tar': {
    what: 'first backup, engine to disk store, beside tar | zstd -1 -T2',
    unit: 's',
    goal: { kind: 'less-than', than: TAR_ZSTD, must: null, stretch: 1 / 1.1 },
  },
  'store-size': { what: 'what the first backup takes', unit: 'MB', goal: lessThanRestic(1, null) },
  'first-server': { what: 'first backup, agent to server over TLS', unit: 's', goal: lessThanRestic(2, 3) },
  'no-change': { what: 'nothing changed, full walk', unit: 's', goal: lessThanRestic(5, 8) },
  'no-change-server': { what: 'nothing changed, agent to server', unit: 's', goal: told('restic') },
  'restore-disk': { what: 'full restore from the disk store', unit: 's', goal: lessThanRestic(2.5, 4) },
  'restore-server': { what: 'full restore from the server', unit: 's', goal: lessThanRestic(2, 3) },
  'agent-memory': { what: 'peak memory of the agent, all of these', unit: 'MB', goal: atMost(400, 250) },
  'server-memory': { what: 'peak memory of the server meanwhile', unit: 'MB', goal: told() },
  'one-file-time': { what: 'one small file out of the tree, from the server', unit: 's', goal: atMost(1) },
  'one-file-bytes': { what: 'what the agent received for it', unit: 'MB', goal: atMost(2) },
  changes: { what: '60 changes among 80,000 files, by command to the service', unit: 's', goal: atMost(1, 0.3) },
  'changes-service': { what: '60 changes among 80,000 files, in the service', unit: 's', goal: atMost(1, 0.3) },
  insert: { what: '1 GB file with 1 MB inserted in the middle, new', unit: 'MB', goal: atMost(8) },
  moved: { what: 'the same tree moved to another folder, new, of its bytes', unit: '%', goal: atMost(1) },
  rewritten: {
    what: '20,000 small files rewritten with the same content, new, of their bytes',
    unit: '%',
    goal: atMost(1),
  },
  'rewritten-stored': { what: 'the same, of what was stored for them', unit: '%', goal: told() },
  'same-ids': { what: 'two runs on one tree, chunk ids that differ', unit: 'ids', goal: atMost(0) },
  'aged-size': { what: 'a year at 1 % of files a day, stored beside the same stored anew', unit: 'x', goal: atMost(2) },
  'aged-size-most': { what: 'the same in the night when most was stored', unit: 'x', goal: told() },
  'aged-restore': { what: 'a year at 1 % of files a day, restore time above that', unit: '%', goal: atMost(10) },
  'known-ids': { what: 'known-id table, of a million chunks', unit: 'bytes', goal: atMost(40) },
  'known-ids-most': { what: 'known-id table, at the number where a chunk takes most', unit: 'bytes', goal: atMost(40) },
  'million-first': { what: '1,000,000 small files, first backup to the server', unit: 's', goal: told('restic') },
  'million-no-change': { what: '1,000,000 small files, nothing changed', unit: 's', goal: told('restic') },
  'million-restore': { what: '1,000,000 small files, full restore from the server', unit: 's', goal: told('restic') },
  'million-memory': { what: '1,000,000 small files, peak memory of the agent', unit: 'MB', goal: atMost(600) },
  'growth-files': { what: 'cost from 10,000 to 1,000,000 files, off a straight line', unit: '%', goal: told() },
  'growth-bytes': { what: 'cost from 1 to 10 GB, off a straight line', unit: '%', goal: told() },
  'growth-snapshots': { what: 'cost from 1 to 100 snapshots, off a straight line', unit: '%', goal: told() },
  'start-up': { what: '`holdfast status`, bundled, service running, beside `node -e 0`', unit: 'x', goal: atMost(1.5) },
  'start-up-alone': { what: 'the same without a service: the command asks the server', unit: 'x', goal: told() },
  verify: { what: 'verify on the server, without its start', unit: 'MB/s', goal: atLeast(800, 1400) },
} as const satisfies Record<string, Row>;

export type RowId = keyof typeof ROWS;
export const ROW_IDS = Object.keys(ROWS) as RowId[];

/** What a work found for a row; `beside` by the name of who else did it. */
export type Figures = { readonly ours: number; readonly beside: Readonly<Record<string, number>> };

export type Reached = 'stretch' | 'must' | 'missed' | 'below stretch' | 'nothing to compare' | 'told';
export type Judged = {
  /** How many times less than the one it is compared with. */ readonly ratio: number | null;
  readonly reached: Reached;
};

/** Pure. */
export function judge(goal: Goal, { ours, beside }: Figures): Judged {
  switch (goal.kind) {
    case 'told': {
      const other = goal.than === null ? undefined : beside[goal.than];
      return { ratio: other === undefined ? null : other / ours, reached: 'told' };
    }
    case 'less-than': {
      const other = beside[goal.than];
      if (other === undefined) return { ratio: null, reached: 'nothing to compare' };
      const ratio = other / ours;
      return { ratio, reached: mark(goal, (value) => ratio >= value) };
    }
    case 'at-most':
      return { ratio: null, reached: mark(goal, (value) => ours <= value) };
    case 'at-least':
      return { ratio: null, reached: mark(goal, (value) => ours >= value) };
    default:
      return goal satisfies never;
  }
}

function mark({ must, stretch }: Marks, fulfils: (value: number) => boolean): Reached {
  if (stretch !== null && fulfils(stretch)) return 'stretch';
  if (must === null) return 'below stretch';
  return fulfils(must) ? 'must' : 'missed';
}
