// A thread that checks packs, slice by slice as they are read; see check-threads.ts for the other side.

import { constants, setPriority } from 'node:os';
import { parentPort } from 'node:worker_threads';
import type { Places } from '../index/places.ts';
import { PackCheck, type PackToCheck } from './pack-check.ts';

export type CheckRequest =
  | { readonly kind: 'begin'; readonly pack: PackToCheck }
  | { readonly kind: 'slice'; readonly bytes: Uint8Array }
  | { readonly kind: 'end' };
/** One for each slice and each end. */
export type CheckReply =
  | { readonly kind: 'slice'; readonly isSound: boolean }
  | { readonly kind: 'end'; readonly places: Places | null };

if (parentPort === null) throw new Error('check-thread.ts runs in a worker thread');
const port = parentPort;
// There alone a priority is a thread's own: what backs up and restores comes first.
if (process.platform === 'linux') setPriority(0, constants.priority.PRIORITY_LOW);

let check: PackCheck | null = null;

port.on('message', (request: CheckRequest) => {
  if (request.kind === 'begin') check = new PackCheck(request.pack);
  else if (check === null) throw new Error('a slice of no pack');
  else if (request.kind === 'slice') {
    reply({ kind: 'slice', isSound: check.push(request.bytes) });
    // Its memory is free now, not when a collector thinks of it
    (request.bytes.buffer as ArrayBuffer).transfer(0);
  } else reply({ kind: 'end', places: check.end() });
});

const reply = (message: CheckReply): void => port.postMessage(message);
