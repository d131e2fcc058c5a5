import { lstatSync, watch } from 'node:fs';
import { parentPort } from 'node:worker_threads';
import { compileExclusions } from '@holdfast/archive/source/exclude.ts';
import { type FolderWatch, LIMIT_CODES, toBytes, watchFolder } from './folder-watch.ts';
import type { FromThread, Lost, Subscription, ToThread } from './messages.ts';
import { watchTree } from './system-watch.ts';

/**
 * The watcher's thread. Nothing else runs in it: the system drops events, silently, when nobody fetches them in time
 * (Linux: more than 16,384 waiting). Changes are gathered for a moment, each folder once, and sent on together.
 */

/** More events than this in a second: the next ones may be lost. Half of what the system keeps. */
const BURST = 8000;
const BURST_MS = 1000;
const GATHER_MS = 100;

const port = parentPort;
if (port === null) throw new Error('this file is a worker thread');
const send = (message: FromThread): void => port.postMessage(message);
const begin = process.platform === 'linux' ? watchFolder : watchTree;

type Watched = {
  readonly subscription: Subscription;
  readonly parts: FolderWatch[];
  readonly changed: Set<string>;
};

const sets = new Map<string, Watched>();
let events = 0;
let gathering = false;
const burstTimer = setTimeout(() => {
  events = 0;
}, BURST_MS);

function noticed(watched: Watched, folder: string): void {
  watched.changed.add(folder);
  if (events++ === 0) burstTimer.refresh();
  if (events > BURST) loseAll({ kind: 'burst', detail: `over ${BURST} changes at once` });
  if (gathering) return;
  gathering = true;
  setTimeout(sendChanges, GATHER_MS);
}

function sendChanges(): void {
  gathering = false;
  for (const { subscription, changed } of sets.values()) {
    if (changed.size === 0) continue;
    send({ kind: 'changed', set: subscription.set, number: subscription.number, folders: [...changed] });
    changed.clear();
  }
}

/** The system keeps one queue for all sets, so what was dropped may be of any. */
function loseAll(why: Lost): void {
  events = 0;
  for (const watched of [...sets.values()]) lose(watched, why);
}

function forget(set: string): void {
  for (const part of sets.get(set)?.parts ?? []) part.close();
  sets.delete(set);
}

function lose({ subscription: { set, number } }: Watched, why: Lost): void {
  if (sets.get(set)?.subscription.number !== number) return;
  forget(set);
  send({ kind: 'lost', set, number, why });
}

function subscribe(subscription: Subscription): void {
  const { set, number, roots } = subscription;
  forget(set);
  const watched: Watched = { subscription, parts: [], changed: new Set() };
  sets.set(set, watched);
  const excludes = compileExclusions(subscription.exclude);
  for (const root of roots) {
    if (sets.get(set) !== watched) break;
    if (isLink(root)) lose(watched, { kind: 'error', detail: `${show(root)} is a symbolic link` });
    const part = begin(root, {
      changed: (folder) => noticed(watched, folder),
      failed: (error, folder) => lose(watched, failure(error, folder)),
      excluded: (folder) => excludes(folder, true),
    });
    watched.parts.push(part);
  }
  if (sets.get(set) !== watched) {
    // lost on the way, perhaps inside `begin`, whose part nobody else has
    for (const part of watched.parts) part.close();
    return;
  }
  const counts = watched.parts.map((part) => part.counts);
  const sum = (pick: (count: FolderWatch['counts']) => number) =>
    counts.reduce((total, count) => total + pick(count), 0);
  send({ kind: 'watching', set, number, folders: sum((c) => c.watched), closed: sum((c) => c.closed) });
}

function failure(error: NodeJS.ErrnoException, folder: string): Lost {
  return { kind: LIMIT_CODES.has(error.code ?? '') ? 'limit' : 'error', detail: `${show(folder)}: ${error.message}` };
}

const show = (path: string): string => toBytes(path).toString('utf8');

/** What lies behind it changes without an event here. */
const isLink = (root: string): boolean =>
  lstatSync(toBytes(root), { throwIfNoEntry: false })?.isSymbolicLink() ?? false;

port.on('message', (message: ToThread) => {
  switch (message.kind) {
    case 'watch':
      return subscribe(message.subscription);
    case 'forget':
      return forget(message.set);
    case 'probe':
      watch(message.folder, { persistent: false }, () => send({ kind: 'alive' })).on('error', (error) => {
        throw error; // ends the thread, which is noticed
      });
      return;
    default:
      message satisfies never;
  }
});
