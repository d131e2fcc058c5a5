// A thread that works against a restore: whatever appears in the target, it puts something else in its place at once, that leads
// outside. Ends when it is told to.

import { linkSync, renameSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { parentPort, workerData } from 'node:worker_threads';

export type Rivalry = {
  readonly target: string;
  /** Names in the target that are waited for, in the order in which they appear. */
  readonly directories: readonly string[];
  readonly nodes: readonly string[];
  /** A folder and a file in it that must not be touched. */
  readonly outside: string;
  readonly secret: string;
  /** A folder on the same file system, for what is put aside. */
  readonly aside: string;
  /** Set to 1 to end it. */
  readonly stop: Int32Array;
};

const { target, directories, nodes, outside, secret, aside, stop } = workerData as Rivalry;
let swapped = 0;

/** A link to the outside takes the directory's name. */
function swapDirectory(name: string): boolean {
  try {
    renameSync(join(target, name), join(aside, name));
  } catch {
    return false; // not there yet
  }
  symlinkSync(outside, join(target, name));
  return true;
}

/** Another name of the file outside takes the node's name. */
function swapNode(name: string): boolean {
  try {
    renameSync(join(target, name), join(aside, name));
  } catch {
    return false;
  }
  renameSync(join(aside, `ready ${name}`), join(target, name));
  return true;
}

for (const name of nodes) linkSync(join(outside, secret), join(aside, `ready ${name}`));
parentPort?.postMessage('ready');
swapAll(directories, swapDirectory);
swapAll(nodes, swapNode);
parentPort?.postMessage(swapped);

/** A name that was missed is gone by: the next one is waited for. */
function swapAll(names: readonly string[], swap: (name: string) => boolean): void {
  for (const name of names) {
    while (!swap(name)) if (Atomics.load(stop, 0) === 1) return;
    swapped++;
  }
}
