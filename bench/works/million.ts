/** A million small files, made: what a device with very many files costs, beside restic. */
import { join } from 'node:path';
import { makeSmallFiles } from '../made-tree.ts';
import { AgentToServer } from '../sides/ours.ts';
import { peerSide } from '../sides/peers.ts';
import { scaled, type Work } from '../work.ts';
import { peak, pick, type Turns, turnOf } from './three-works.ts';

const FILES = { files: 1_000_000, perFolder: 1000, min: 100, max: 2000 };

export const million: Work = {
  name: 'million',
  rows: ['million-first', 'million-no-change', 'million-restore', 'million-memory'],
  needsTree: false,
  repeats: false,
  onlyFor: 'million',
  async run(bench) {
    const tree = join(bench.folder, 'tree');
    bench.say('making the files');
    makeSmallFiles(tree, { ...FILES, files: scaled(bench, FILES.files) });
    bench.say('ours-server');
    const ours = await turnOf(new AgentToServer(join(bench.folder, 'tls')), [tree], bench.folder);
    const peers: Turns = {};
    for (const name of bench.peers.filter((peer) => peer === 'restic')) {
      bench.say(name);
      peers[name] = await turnOf(peerSide(name, join(bench.folder, name)), [tree], bench.folder);
    }
    return [
      { row: 'million-first', ours: ours.first.seconds, beside: pick(peers, ({ first }) => first.seconds) },
      { row: 'million-no-change', ours: ours.noChange.seconds, beside: pick(peers, (turn) => turn.noChange.seconds) },
      { row: 'million-restore', ours: ours.restore.seconds, beside: pick(peers, ({ restore }) => restore.seconds) },
      {
        row: 'million-memory',
        ours: peak(ours, ({ rss }) => rss),
        beside: pick(peers, (turn) => peak(turn, ({ rss }) => rss)),
      },
    ];
  },
};
