/**
 * What a deleted directory held, for the one that is there again under its name (format §5.5).
 *
 * ```
 * heirs = new directories of which the parent's record holds a gone one of that name
 * level by level: read the old trees; for each entry of one, live or gone
 *   handed down to the heir, whose gone entries take it unless it is there again (gone.ts)
 *   a directory that the heir has too is an heir of the next level
 * ```
 * So each tree made of an heir, also one of a partial snapshot, holds all that the old one held: an heir below that is not made yet stands in it
 * as the old directory.
 * The old tree is read from the destination: the cache forgets directories that are no more, so that what comes out must not depend on it.
 */
import { TYPE } from '../source/rows.ts';
import type { Cache } from './cache.ts';
import { childNamed, type Node } from './node.ts';
import type { Entry } from './record.ts';
import { AT_ONCE, type StoredDirectories } from './stored-directories.ts';
import { isNewIn } from './walk.ts';

export type Heir = {
  readonly node: Node;
  readonly tree: Uint8Array;
  /** Of the old directory, ms. */
  readonly deleted: number;
};

/** Forgets what the cache knew under the paths of new directories, and returns those that inherit. Deleted before `goneBefore`: too old, 0 for never. */
export function findHeirs(nodes: readonly Node[], cache: Cache, goneBefore: number): Heir[] {
  const heirs = nodes.flatMap((node) => heirsIn(node, cache, goneBefore));
  for (const node of newNodes(nodes, cache)) {
    if (node.kind !== 'listed') continue;
    node.base = null;
    node.cacheRow = -1;
  }
  return heirs;
}

/** In walk order, so that a parent is known before its children. */
function newNodes(nodes: readonly Node[], cache: Cache): Set<Node> {
  const found = new Set<Node>();
  for (const node of nodes) {
    const { parent } = node;
    if (parent !== null && (found.has(parent) || (parent.kind === 'listed' && isNewIn(parent, node.name, cache))))
      found.add(node);
  }
  return found;
}

function heirsIn(node: Node, cache: Cache, goneBefore: number): Heir[] {
  if (node.kind !== 'listed' || node.base === null || node.children.length === 0) return [];
  const record = cache.record(node.base);
  const heirs: Heir[] = [];
  for (let i = record.live; i < record.count; i++) {
    if (record.type(i) !== TYPE.directory || isExpired(record.deleted(i), goneBefore)) continue;
    const heir = heirOf(node, record.name(i), record.content(i).tree, record.deleted(i));
    if (heir) heirs.push(heir);
  }
  return heirs;
}

function heirOf(parent: Node, name: Buffer, tree: Uint8Array | undefined, deleted: number): Heir | null {
  const node = childNamed(parent, name);
  if (node === null || tree === undefined || node.kind === 'vanished' || node.kind === 'kept') return null;
  return { node, tree, deleted };
}

const isExpired = (deleted: number, goneBefore: number): boolean => goneBefore > 0 && deleted < goneBefore;

/** Sets `handedDown` of the nodes. */
export async function handDown(
  heirs: readonly Heir[],
  stored: Pick<StoredDirectories, 'read'>,
  goneBefore: number,
): Promise<void> {
  let level = heirs;
  while (level.length > 0) {
    const next: Heir[] = [];
    for (let at = 0; at < level.length; at += AT_ONCE) {
      const some = level.slice(at, at + AT_ONCE);
      const found = await stored.read(some.map(({ tree }) => tree));
      for (const [i, heir] of some.entries()) {
        const { live = [], gone = [] } = found[i] ?? {};
        const old = [...live.map((entry) => ({ ...entry, deleted: heir.deleted })), ...gone];
        for (const entry of old) if (!isExpired(entry.deleted, goneBefore)) next.push(...passOn(heir.node, entry));
      }
    }
    level = next;
  }
}

/** To the node, and to the directory of that name below it. */
function passOn(node: Node, entry: Entry): Heir[] {
  // Neither a hard-link group nor "look again" means anything in what is deleted.
  node.handedDown.push({ ...entry, group: 0, again: false });
  const heir = heirOf(node, entry.name, entry.content.tree, entry.deleted);
  return heir ? [heir] : [];
}
