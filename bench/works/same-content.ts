/** What is there already is not stored again: a tree in another folder, files written anew, and the same tree by another store. */
import { cpSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { smallFilesOf } from '../folders.ts';
import { lastJson, measure } from '../measure.ts';
import { engine } from '../sides/ours.ts';
import { type Bench, type Sample, scaled, type Work } from '../work.ts';
import { storedBy } from './stored.ts';

export const moved: Work = {
  name: 'moved',
  rows: ['moved'],
  needsTree: true,
  repeats: false,
  onlyFor: null,
  /** The same device with its cache; what is there as before, in a folder of another name. */
  async run(bench) {
    const side = engine(join(bench.folder, 'disk'));
    await side.reset();
    const [here, there] = [join(bench.folder, 'here'), join(bench.folder, 'there')];
    for (const folder of [here, there]) mkdirSync(folder);
    for (const [i, tree] of bench.trees.entries())
      await measure({ program: 'cp', args: ['-a', tree, join(here, `${i}`)] });
    await storedBy(side, here);
    for (const i of bench.trees.keys())
      await measure({ program: 'mv', args: [join(here, `${i}`), join(there, `moved ${i}`)] });
    const { stored, bytes } = await storedBy(side, there);
    return [{ row: 'moved', ours: (100 * stored) / bytes, beside: {} }];
  },
};

const REWRITTEN = 20_000;

export const rewritten: Work = {
  name: 'rewritten',
  rows: ['rewritten', 'rewritten-stored'],
  needsTree: true,
  repeats: false,
  onlyFor: null,
  /** The first small files of the tree, copied and written anew: other inodes and times, and the same bytes. */
  async run(bench) {
    const side = engine(join(bench.folder, 'disk'));
    await side.reset();
    const copied = smallFilesOf(bench.trees)
      .slice(0, scaled(bench, REWRITTEN))
      .map((path) => {
        const copy = join(bench.folder, 'tree', path);
        mkdirSync(dirname(copy), { recursive: true });
        cpSync(path, copy, { preserveTimestamps: true });
        return copy;
      });
    bench.say(`${copied.length} files`);
    const first = await storedBy(side, join(bench.folder, 'tree'));
    for (const path of copied) {
      const content = readFileSync(path);
      rmSync(path);
      writeFileSync(path, content);
    }
    const second = await storedBy(side, join(bench.folder, 'tree'));
    bench.say(
      `${(first.stored / 1e6).toFixed(2)} MB stored, then ${(second.stored / 1e6).toFixed(2)} MB for other times`,
    );
    return [
      { row: 'rewritten', ours: (100 * second.stored) / second.bytes, beside: {} },
      { row: 'rewritten-stored', ours: (100 * second.stored) / first.stored, beside: {} },
    ];
  },
};

export const sameIds: Work = {
  name: 'same-ids',
  rows: ['same-ids'],
  needsTree: true,
  repeats: false,
  onlyFor: null,
  /** Two empty stores under the same keys, without a cache: ids that are in one of them only. */
  async run(bench): Promise<Sample[]> {
    const first = await idsOf(bench, 'one');
    const second = await idsOf(bench, 'two', join(bench.folder, 'one/keys'));
    return [{ row: 'same-ids', ours: first.symmetricDifference(second).size, beside: {} }];
  },
};

async function idsOf(bench: Bench, name: string, keys?: string): Promise<Set<string>> {
  const side = engine(join(bench.folder, name));
  await side.reset();
  if (keys !== undefined) cpSync(keys, join(side.folder, 'keys'));
  await side.backup(bench.trees);
  const ids = new Set(lastJson<string[]>(await side.ids(bench.trees)));
  if (ids.size === 0) throw new Error('nothing was stored');
  return ids;
}
