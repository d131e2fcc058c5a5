/**
 * A walk that looks only where a watcher saw something: at the directories it named, and at what is new or changed below them. Everything else
 * stands as the cache has it. A watcher is a hint, never a proof: the walk of everything remains what finds the truth.
 *
 * ```
 * for each directory named: up to the nearest one that the cache knows and that is still there
 * nodes for these and all directories above them; a parent takes over the child's new row
 * scan them; go down where the row of a sub-directory is new
 * ```
 */
import { isGone } from '../source/node-source.ts';
import { componentsOf, isWithin, nameOf, parentOf, pathOf } from '../source/paths.ts';
import { pathHash, sameRow } from '../source/rows.ts';
import { childNamed, type Node } from './node.ts';
import type { Skip } from './skip.ts';
import { inWalkOrder, listingOf, makeNode, type Walk, Walker, type WalkInput, wayTo } from './walk.ts';

/** `null` when the cache does not reach far enough: everything has to be walked. */
export async function walkHinted(input: WalkInput, directories: readonly Uint8Array[]): Promise<Walk | null> {
  const skipped: Skip[] = [];
  const { root, tops } = wayTo(input, skipped);
  if (tops.some((top) => top.cacheRow < 0) || root.cacheRow < 0) return null;
  const tree = new KnownTree(input, tops);
  const wanted = new Set<Node>();
  for (const directory of directories) {
    const node = tree.nearest(pathOf(componentsOf(directory)));
    if (node) wanted.add(node);
  }
  tree.refreshRows(wanted);
  await new Walker(input, skipped).run([...wanted], 'changed');
  return { nodes: inWalkOrder(root), skipped, full: false };
}

class KnownTree {
  private readonly input: WalkInput;
  private readonly tops: readonly Node[];
  private readonly nodes = new Map<string, Node>();

  constructor(input: WalkInput, tops: readonly Node[]) {
    this.input = input;
    this.tops = tops;
    for (const top of tops) {
      top.kind = 'as-before';
      this.nodes.set(keyOf(top.path), top);
    }
  }

  /** The node of the directory or of the nearest above it that is known and there; `null` outside the selection. */
  nearest(directory: Buffer): Node | null {
    const top = this.tops.find(({ path }) => isWithin(directory, path));
    if (top === undefined) return null;
    let path = directory;
    while (path.length > top.path.length && !this.isThere(path)) path = parentOf(path);
    return this.node(path, top);
  }

  /** Parents that are not looked at themselves get the present rows of the children that are. */
  refreshRows(scanned: ReadonlySet<Node>): void {
    for (const node of this.nodes.values()) {
      if (scanned.has(node) || node.base === null) continue;
      const record = this.input.cache.record(node.base);
      const rows = Array.from({ length: record.live }, (_, i) => ({ name: record.name(i), row: record.row(i) }));
      let changed = false;
      for (const entry of rows) {
        const child = childNamed(node, entry.name);
        const row = child && this.rowOf(child);
        if (!row || sameRow(row, 0, entry.row, 0)) continue;
        entry.row = row;
        changed = true;
      }
      if (!changed) continue;
      node.kind = 'listed';
      node.listing = listingOf(rows, []);
    }
  }

  private isThere(path: Buffer): boolean {
    if (this.input.cache.find(pathHash(path)) < 0) return false;
    try {
      this.input.source.stat(path);
      return true;
    } catch (error) {
      if (isGone(error)) return false;
      throw error;
    }
  }

  private rowOf(node: Node): Buffer | null {
    try {
      return this.input.source.stat(node.path);
    } catch (error) {
      // The walk of the parent, at the latest the next one, finds it gone.
      if (isGone(error)) return null;
      throw error;
    }
  }

  private node(path: Buffer, top: Node): Node {
    const known = this.nodes.get(keyOf(path));
    if (known) return known;
    const parent = this.node(parentOf(path), top);
    const node = makeNode(this.input.cache, path, parent, 'as-before');
    const at = parent.children.findIndex(({ name }) => name.compare(nameOf(path)) > 0);
    parent.children.splice(at < 0 ? parent.children.length : at, 0, node);
    this.nodes.set(keyOf(path), node);
    return node;
  }
}

const keyOf = (path: Buffer): string => path.toString('latin1');
