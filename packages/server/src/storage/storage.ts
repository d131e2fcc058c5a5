// The storage role: keeps archives and never needs a key.
//
// Nouns: a *store point* is a directory or bucket with an index of its own; an *archive* lies in one store point; a
// *session* is one backup, restore, copy or check in progress; a *location* is where a chunk lies in a pack.
//
//   put     a pack is checked while it arrives, then durable, then its locations stand in the index     ingest/
//   commit  a snapshot, when all it needs is present for the session                                   ingest/
//   ask     present ids, locations, ranges of packs                                                    reads/
//   keep    retention, collect, compact, verify, reconcile, rebuild                                    maintenance/
//
// The store point is the truth. The index (index/) only says where things lie and who is at work; it is made again from the
// store point when it is lost or was set back.

import { identityName } from '@holdfast/archive/store/layout.ts';
import { storedWraps } from '@holdfast/archive/store/wraps.ts';
import { ProtocolError } from '@holdfast/protocol/errors.ts';
import type { Warning } from '@holdfast/protocol/warnings.ts';
import type { ServedRoute } from '../http/register.ts';
import type { Warnings } from '../warnings-port.ts';
import { countGeneration, indexState } from './generation.ts';
import { indexWarnings } from './index/troubles.ts';
import type { OnEvent } from './maintenance/events.ts';
import { createMaintenance, logEvent, type Maintenance, type PolicyOf } from './maintenance/maintenance.ts';
import { type RebuildResult, rebuildIndex } from './maintenance/rebuild.ts';
import { openPoint, openPoints, type PointConfig } from './open-point.ts';
import { ReadBudgets } from './reads/budget.ts';
import { readIfThere } from './reads/lists.ts';
import type { RouteContext } from './routes/context.ts';
import { objectRoutes } from './routes/object-routes.ts';
import { packRoutes } from './routes/pack-routes.ts';
import { sessionRoutes } from './routes/session-routes.ts';
import { type Ports, type StorePoint, StorePoints } from './store-point.ts';

export type StorageOptions = Ports & {
  /** New archives go to the first. */
  readonly points: readonly [PointConfig, ...PointConfig[]];
  /** What is decided about retention; without it the policies in the store points hold, or the built-in one. */
  readonly policyOf?: PolicyOf;
};

export type Storage = {
  /** Their access is `capability:*`; whoever serves them checks capabilities. */
  readonly routes: readonly ServedRoute[];
  readonly maintenance: Maintenance;
  /** Resolves when the index is fit for use; until then the routes answer `busy`. Rejects when it cannot be made fit. */
  readonly ready: Promise<void>;
  /** All for one recipient, newest first. `archive` is hex, `name` that of the first in format §7. */
  readIdentityWraps(archive: string, name: string): Promise<Uint8Array[]>;
  readonly warnings: Warnings;
  /** Tries whether the store points take what is written, for `warnings`; call now and then. */
  probe(): Promise<void>;
  close(): Promise<void>;
};

const SHORT_WAIT_MS = 10_000;

export async function createStorage(options: StorageOptions): Promise<Storage> {
  const opened = await openPoints(options, (point, archive) => maintenance.lossFound(point, archive));
  const points = new StorePoints(opened.map(({ point }) => point) as [StorePoint, ...StorePoint[]]);
  const maintenance = createMaintenance(points.all, options.policyOf ?? (async () => null));
  const closing = new AbortController();
  const startedAt = options.now();
  let isReady = false;
  const ready = makeReady(points, closing.signal).then(() => {
    isReady = true;
  });
  ready.catch((error: unknown) => {
    if (!closing.signal.aborted) options.log.error({ err: error }, 'the index could not be made fit for use');
  });
  const context: RouteContext = {
    points,
    budgets: new ReadBudgets(options.now),
    requireReady: () => {
      if (isReady) return;
      // Looking whether the index is fit takes a moment, rebuilding it takes long: only then is it worth waiting long
      const retryAfterMs = options.now() - startedAt < SHORT_WAIT_MS ? 1_000 : 30_000;
      throw new ProtocolError('busy', { message: 'The index is being made ready.', retryAfterMs });
    },
  };
  return {
    routes: [...sessionRoutes(context), ...packRoutes(context), ...objectRoutes(context)],
    maintenance,
    ready,
    readIdentityWraps: (archive, name) => readIdentityWraps(points, archive, name),
    warnings: async () => [
      ...new Set([
        ...(isReady ? [] : UNAVAILABLE),
        ...opened.flatMap(({ watch }) => watch.warnings),
        ...(await Promise.all(points.all.map(concluded))).flat(),
      ]),
    ],
    probe: async () => {
      for (const { point, watch } of opened) await watch.probe(point);
    },
    close: async () => {
      closing.abort();
      await Promise.allSettled([ready, maintenance.settled()]);
      for (const { index } of points.all) await index.close();
    },
  };
}

const UNAVAILABLE: readonly Warning[] = ['storage_unavailable'];

async function concluded({ index, log, name }: StorePoint): Promise<readonly Warning[]> {
  try {
    return await index.read(indexWarnings);
  } catch (err) {
    log.error({ err, point: name }, 'the index does not answer');
    return UNAVAILABLE;
  }
}

/** An index that is behind its store point is corrected before anybody is answered from it. */
async function makeReady(points: StorePoints, signal: AbortSignal): Promise<void> {
  for (const point of points.all) {
    const state = await indexState(point);
    if (state === 'behind') {
      point.log.warn(
        { point: point.name },
        'the index is not the one last used with this store point: it is corrected',
      );
      await rebuildIndex(point, { fromNothing: false, signal, onEvent: (event) => logEvent(point, event) });
    }
    await countGeneration(point);
  }
}

async function readIdentityWraps(points: StorePoints, archive: string, name: string): Promise<Uint8Array[]> {
  try {
    const { point, archive: found } = await points.find(archive);
    const names = await storedWraps(point.blobs, found.id, name);
    const wraps = await Promise.all(names.map((each) => readIfThere(point.blobs, identityName(found.id, each))));
    return wraps.filter((wrap) => wrap !== null);
  } catch (error) {
    if (error instanceof ProtocolError && error.code === 'archive_unknown') return [];
    throw error;
  }
}

export type ReindexOptions = Ports & {
  readonly point: PointConfig;
  readonly onEvent?: OnEvent;
  readonly signal?: AbortSignal;
};

/** `holdfast-server reindex`: makes the index of a store point anew, from nothing but the store point. */
export async function reindex({ point: config, onEvent, signal, ...ports }: ReindexOptions): Promise<RebuildResult> {
  const { point } = await openPoint(ports, config, () => {}, 'alone');
  try {
    const result = await rebuildIndex(point, { fromNothing: true, onEvent, signal });
    await countGeneration(point);
    return result;
  } finally {
    await point.index.close();
  }
}
