// Collect without one clause of its protocol, made of the same stages: what is left out has to be missed. The storage itself has
// no such switch.

import { findCollection, saveCollection } from '../index/jobs.ts';
import type { Index } from '../index/open-index.ts';
import { committedSnapshots } from '../index/snapshots.ts';
import { SESSION_SILENCE_MS } from '../limits.ts';
import {
  type CollectOutcome,
  type CollectResult,
  deletePacks,
  deleteRows,
  dropSuperseded,
  markAndCondemn,
  rescue,
  uncondemnMarked,
  waitForOlderSessions,
} from '../maintenance/collect.ts';
import { markReachable, newMarks } from '../maintenance/mark.ts';
import type { Run } from '../maintenance/run.ts';
import { TreeTables } from '../maintenance/tree-tables.ts';

/** `nothing` is the sequence of stages below with all of them. */
export const CLAUSES = ['wait', 'rescue', 'rescue from trees', 'hiding'] as const;
export type Clause = (typeof CLAUSES)[number];

export class CutCollect {
  private readonly leftOut: Clause | 'nothing';
  /** Sessions up to this number were there before what is condemned would have been hidden. */
  private lastSession = 0;

  constructor(leftOut: Clause | 'nothing') {
    this.leftOut = leftOut;
  }

  /** For a session that was just opened: with nothing hidden it sees everything, since nothing is condemned in an epoch up to 0. */
  async opened(index: Index, session: string): Promise<void> {
    if (this.leftOut !== 'hiding') return;
    await index.write((on) => on.db.updateTable('sessions').set({ epoch: 0 }).where('id', '=', session).execute());
  }

  async run(run: Run): Promise<CollectOutcome> {
    const result: CollectResult = { condemned: 0, rescued: 0, deleted: 0, deletedBytes: 0, deletedPacks: 0 };
    let stage = (await run.point.index.read((on) => findCollection(on, run.archive.number)))?.stage ?? 'mark';
    const begins = stage === 'mark';
    if (begins) {
      stage = (await markAndCondemn(run, result)) ? 'wait' : 'done';
      if (stage === 'wait') await this.noteSessions(run);
    }
    if (stage === 'wait') {
      const sessions = await this.wait(run);
      if (sessions > 0) return { kind: 'waiting', sessions };
    }
    if (stage !== 'done') {
      await this.rescue(run, result);
      await deleteRows(run, result);
    }
    await dropSuperseded(run);
    await deletePacks(run, result);
    return { kind: 'done', result };
  }

  private async noteSessions({ point }: Run): Promise<void> {
    const newest = await point.index.read((on) =>
      on.db.selectFrom('sessions').select('number').orderBy('number', 'desc').executeTakeFirst(),
    );
    this.lastSession = newest?.number ?? 0;
  }

  private async wait(run: Run): Promise<number> {
    if (this.leftOut !== 'wait' && this.leftOut !== 'hiding') return waitForOlderSessions(run);
    const sessions = this.leftOut === 'hiding' ? await this.openSessions(run) : 0;
    if (sessions === 0) await setStage(run, 'rescue');
    return sessions;
  }

  /** Of those that are to be waited for: their epochs do not tell it. */
  private async openSessions({ point }: Run): Promise<number> {
    const open = await point.index.read((on) =>
      on.db
        .selectFrom('sessions')
        .select('number')
        .where('number', '<=', this.lastSession)
        .where('ended', 'is', null)
        .where('renewed', '>', point.now() - SESSION_SILENCE_MS)
        .execute(),
    );
    return open.length;
  }

  private async rescue(run: Run, result: CollectResult): Promise<void> {
    const collection = await run.point.index.read((on) => findCollection(on, run.archive.number));
    if (collection?.stage === 'delete') return;
    if (this.leftOut === 'rescue') return setStage(run, 'delete');
    if (this.leftOut !== 'rescue from trees') return rescue(run, result);
    const marks = newMarks(run);
    for (const { root } of await run.point.index.read((on) => committedSnapshots(on, run.archive.number)))
      marks.add(root);
    await markReachable(run, new TreeTables(run.point, run.archive), marks);
    result.rescued += await uncondemnMarked(run, collection?.target ?? 0, marks);
    return setStage(run, 'delete');
  }
}

const setStage = (run: Run, stage: string): Promise<void> =>
  run.step(async (on) => {
    const collection = await findCollection(on, run.archive.number);
    if (collection !== null) await saveCollection(on, { ...collection, stage });
  });
