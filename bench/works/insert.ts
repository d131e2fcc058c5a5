/** A large file grows by a little in the middle: only the chunks around the place are new. */
import { join } from 'node:path';
import { makeLargeFile } from '../made-tree.ts';
import { engine } from '../sides/ours.ts';
import { scaled, type Work } from '../work.ts';
import { storedBy } from './stored.ts';

const FILE = 1e9;
const INSERTED = 1e6;

export const insert: Work = {
  name: 'insert',
  rows: ['insert'],
  needsTree: false,
  repeats: false,
  onlyFor: null,
  async run(bench) {
    const side = engine(join(bench.folder, 'disk'));
    const tree = join(bench.folder, 'tree');
    const [bytes, inserted] = [scaled(bench, FILE), scaled(bench, INSERTED)];
    bench.say(`a file of ${bytes} bytes, ${inserted} inserted`);
    await side.reset();
    makeLargeFile(join(tree, 'large'), bytes, 'large');
    await storedBy(side, tree);
    makeLargeFile(join(tree, 'large'), bytes, 'large', inserted);
    return [{ row: 'insert', ours: (await storedBy(side, tree)).stored / 1e6, beside: {} }];
  },
};
