// Finds the trees above what was lost, so that they stop being present (ARCHIVE §5.7), and says whose snapshots it hits.
//
//   children = lost ids whose trees were not looked for yet
//   go through the tables of the tree packs, oldest first: children mostly come before their parents
//     a tree that links one of them is above a loss; it becomes one of them
//   until a pass finds none
//   in the last step: no pack has come since the pass began, else go through the new ones as well; whose snapshots are they
//
// A pack whose links were checked before a loss and that gets its rows after it is checked again by its ingest.

import { ID_LENGTH, toHex } from '@holdfast/archive/format/ids.ts';
import { type Archive, findArchive, lockArchive } from '../index/archives.ts';
import { goodFlags, rowsOfPack } from '../index/chunks.ts';
import {
  addLossLinks,
  isAnythingMissed,
  type LossLink,
  missDangling,
  setSpread,
  unspreadLosses,
} from '../index/lost.ts';
import type { On } from '../index/open-index.ts';
import type { Pack } from '../index/packs.ts';
import { prefixOf } from '../index/prefix.ts';
import { committedSnapshots, type Snapshot } from '../index/snapshots.ts';
import type { Run } from './run.ts';
import { TreeTables } from './tree-tables.ts';

const LINKS_PER_STEP = 2000;

/** Returns how many ids it was about. */
export async function spreadLoss(run: Run): Promise<number> {
  const { point, archive } = run;
  const lost = await point.index.read((on) => unspreadLosses(on, archive.number));
  if (lost.length === 0) return 0;
  const children = new Set(lost.map(toHex));
  for (let from = 0; ; ) {
    const top = (await point.index.read((on) => findArchive(on, archive.id)))?.next_pack ?? 0;
    await climb(run, children, from);
    const loss = await run.step(async (on) => {
      const { next_pack } = await lockArchive(on, archive.number);
      return next_pack > top ? null : conclusion(on, archive, lost);
    });
    if (loss?.isMissed) report(run, lost.length, loss.snapshots);
    if (loss !== null) return lost.length;
    from = top - 1;
  }
}

type Loss = { readonly snapshots: readonly Snapshot[]; readonly isMissed: boolean };

/** In one transaction, so that whoever dies in between has not forgotten whom it hits. */
async function conclusion(on: On, archive: Archive, lost: readonly Uint8Array[]): Promise<Loss> {
  const snapshots = await affectedSnapshots(on, archive);
  if (snapshots.length > 0) await missDangling(on, archive.number);
  await setSpread(on, archive.number, lost);
  return { snapshots, isMissed: await isAnythingMissed(on, archive.number) };
}

/** All tree packs above `from`; once something is found all packs, until nothing is found any more. */
async function climb(run: Run, children: Set<string>, from: number): Promise<void> {
  const tables = new TreeTables(run.point, run.archive, run.signal);
  const packs = (await tables.packs()).reverse();
  let scope = packs.filter((pack) => pack.number > from);
  for (let found = true; found; ) {
    found = false;
    for (const pack of scope) {
      const links = await linksInto(run, tables, pack, children);
      for (const { parent } of links) {
        found ||= !children.has(toHex(parent));
        children.add(toHex(parent));
      }
      for (let at = 0; at < links.length; at += LINKS_PER_STEP)
        await run.step((on) => addLossLinks(on, run.archive.number, links.slice(at, at + LINKS_PER_STEP)));
    }
    // A tree that was found may have parents in packs that were gone through before.
    scope = packs;
  }
}

/** Links from trees of this pack to any of the children; only of frames that have a row. */
async function linksInto(run: Run, tables: TreeTables, pack: Pack, children: Set<string>): Promise<LossLink[]> {
  const links: LossLink[] = [];
  for (const { entry } of (await tables.read(pack)).frames.toReversed()) {
    for (let at = 0; at < entry.links.length; at += ID_LENGTH) {
      const child = prefixOf(entry.links.subarray(at, at + ID_LENGTH));
      if (children.has(toHex(child))) links.push({ child, parent: prefixOf(entry.id) });
    }
  }
  if (links.length === 0) return links;
  const parents = links.map((link) => link.parent);
  const rows = await run.point.index.read((on) => rowsOfPack(on, run.archive.number, pack.number, parents));
  const here = new Set(rows.map((row) => toHex(row.prefix)));
  return links.filter((link) => here.has(toHex(link.parent)));
}

/** Committed snapshots whose root is lost or above a loss. */
async function affectedSnapshots(on: On, archive: Archive): Promise<Snapshot[]> {
  const snapshots = await committedSnapshots(on, archive.number);
  const good = await goodFlags(on, archive.number, Buffer.concat(snapshots.map((snapshot) => snapshot.root)));
  return snapshots.filter((_, i) => good[i] === 0);
}

function report(run: Run, lost: number, snapshots: readonly Snapshot[]): void {
  const devices = new Set(snapshots.map(({ device }) => toHex(device)));
  const data = {
    chunks: lost,
    snapshots: snapshots.map((s) => ({
      id: toHex(s.id),
      device: toHex(s.device),
      set: toHex(s.backup_set),
      sequence: s.sequence,
      received: s.received,
    })),
    devices: [...devices],
  };
  const message = `${lost} chunks are lost; ${snapshots.length} snapshots of ${devices.size} devices lack something until it is stored again`;
  run.emit({ kind: 'alert', alert: 'chunks_lost', message, data });
}
