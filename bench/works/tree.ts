/**
 * The tree that was given: first backup, backup of nothing changed, restore into an empty folder, by everybody in turn. What
 * stands in the server afterwards is used for one small file and for verify.
 */
import { join } from 'node:path';
import type { Measured } from '../measure.ts';
import type { RowId } from '../rows.ts';
import { AgentToServer, engine, type WithServer } from '../sides/ours.ts';
import { peerSide } from '../sides/peers.ts';
import type { Side } from '../sides/side.ts';
import { TAR_ZSTD, tarZstd } from '../sides/tar.ts';
import type { Bench, Sample, Work } from '../work.ts';
import { oneFile } from './one-file.ts';
import { peak, pick, type Turn, type Turns, threeWorks, turnOf } from './three-works.ts';
import { verify } from './verify.ts';

const ON_DISK = ['first-disk', 'first-tar', 'store-size', 'no-change', 'restore-disk'] as const;
const ON_SERVER = [
  'first-server',
  'no-change-server',
  'restore-server',
  'agent-memory',
  'server-memory',
  'one-file-time',
  'one-file-bytes',
  'verify',
] as const;

export const tree: Work = {
  name: 'tree',
  rows: [...ON_DISK, ...ON_SERVER],
  needsTree: true,
  repeats: true,
  onlyFor: null,
  async run(bench) {
    const disk = ON_DISK.some(bench.wants) ? await turn(bench, engine(join(bench.folder, 'disk'))) : null;
    const server = ON_SERVER.some(bench.wants) ? await onServer(bench) : null;
    const peers: Turns = {};
    if (COMPARED.some(bench.wants))
      for (const name of bench.peers) peers[name] = await turn(bench, peerSide(name, join(bench.folder, name)));
    const tar = bench.wants('first-tar') ? await tarZstd(bench.trees, bench.folder) : null;
    return [
      ...(disk === null ? [] : diskSamples(disk, peers, tar)),
      ...(server === null ? [] : [...serverSamples(server.turn, peers), ...server.more]),
    ];
  },
};

const COMPARED: readonly RowId[] = [
  'first-disk',
  'store-size',
  'first-server',
  'no-change',
  'no-change-server',
  'restore-disk',
  'restore-server',
];

function turn(bench: Bench, side: Side): Promise<Turn> {
  bench.say(side.name);
  return turnOf(side, bench.trees, bench.folder);
}

async function onServer(bench: Bench): Promise<{ turn: Turn<WithServer>; more: Sample[] }> {
  const side = new AgentToServer(join(bench.folder, 'server'));
  bench.say(side.name);
  await side.reset();
  try {
    const done = (await threeWorks(side, bench.trees, bench.folder)) as Turn<WithServer>;
    const more = [
      ...(bench.wants('one-file-time') || bench.wants('one-file-bytes') ? await oneFile(bench, side) : []),
      ...(bench.wants('verify') ? await verify(side) : []),
    ];
    return { turn: done, more };
  } finally {
    await side.close();
  }
}

function diskSamples(ours: Turn, peers: Turns, tar: Measured | null): Sample[] {
  const seconds = pick(peers, ({ first }) => first.seconds);
  return [
    { row: 'first-disk', ours: ours.first.seconds, beside: seconds },
    ...(tar === null
      ? []
      : [{ row: 'first-tar', ours: ours.first.seconds, beside: { [TAR_ZSTD]: tar.seconds } } as const]),
    { row: 'store-size', ours: ours.stored / 1e6, beside: pick(peers, ({ stored }) => stored / 1e6) },
    { row: 'no-change', ours: ours.noChange.seconds, beside: pick(peers, ({ noChange }) => noChange.seconds) },
    { row: 'restore-disk', ours: ours.restore.seconds, beside: pick(peers, ({ restore }) => restore.seconds) },
  ];
}

function serverSamples(ours: Turn<WithServer>, peers: Turns): Sample[] {
  const seconds = (of: 'first' | 'noChange' | 'restore') => ({
    ours: ours[of].seconds,
    beside: pick(peers, (turned) => turned[of].seconds),
  });
  return [
    { row: 'first-server', ...seconds('first') },
    { row: 'no-change-server', ...seconds('noChange') },
    { row: 'restore-server', ...seconds('restore') },
    { row: 'agent-memory', ours: peak(ours, ({ rss }) => rss), beside: pick(peers, (t) => peak(t, ({ rss }) => rss)) },
    { row: 'server-memory', ours: peak(ours, ({ serverRss }) => serverRss), beside: {} },
  ];
}
