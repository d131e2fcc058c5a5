/**
 * A thread that opens frames for decode-pool.ts: jobs come in as one range each, results go back in batches, and no more than
 * `MAX_UNREAD` batches wait for the receiver: a pack of zeros may hold a thousand times its size.
 */
import { parentPort, workerData } from 'node:worker_threads';
import { createArchiveCrypto } from '../crypto-node/archive-crypto.ts';
import { release } from '../crypto-node/release.ts';
import {
  type DecodeThread,
  type OpenedMessage,
  openFrame,
  type PoolRequest,
  type PoolResponse,
  transferable,
} from './open-frame.ts';

const BATCH_BYTES = 2_097_152;
const MAX_UNREAD = 4;

const port = parentPort;
if (port === null) throw new Error('decode-worker.ts is started by decode-pool.ts');
const { keys, closing } = workerData as DecodeThread;
const crypto = createArchiveCrypto(keys);

let unread = 0;
let wake: (() => void) | null = null;
let work: Promise<void> = Promise.resolve();

port.on('message', (message: PoolRequest) => {
  switch (message.kind) {
    case 'close':
      process.exit();
      break;
    case 'taken':
      unread--;
      wake?.();
      return;
    case 'open':
      work = work.then(() => open(message));
      return;
    default:
      message satisfies never;
  }
});

async function open({ job, range, frames }: PoolRequest & { kind: 'open' }): Promise<void> {
  let batch: OpenedMessage[] = [];
  let bytes = 0;
  for (const frame of frames) {
    if (Atomics.load(closing, 0) !== 0) process.exit();
    const opened = openFrame(crypto, range, frame);
    batch.push(opened);
    bytes += opened.chunk?.plaintext.length ?? 0;
    if (bytes < BATCH_BYTES) continue;
    await send({ job, opened: batch, last: false });
    batch = [];
    bytes = 0;
  }
  release(range);
  await send({ job, opened: batch, last: true });
}

async function send(response: PoolResponse): Promise<void> {
  while (unread >= MAX_UNREAD) await new Promise<void>((resolve) => (wake = resolve));
  unread++;
  const buffers = response.opened.flatMap(({ chunk }) => (chunk ? transferable(chunk.plaintext) : []));
  port?.postMessage(response, buffers);
}
