// A backup in a process of its own, to be killed: `node backup-process.ts JSON`. Tells each event's kind on a line of its own, and
// waits for an answer on stdin before it goes on from the one it is asked to stop at.

import { createPrivateKey, sign } from 'node:crypto';
import { readFileSync, readSync } from 'node:fs';
import { openLocalEndpoint } from '../../endpoint/local/local-endpoint.ts';
import type { ArchiveKeys } from '../../format/keys.ts';
import { openDiskStore } from '../../store/disk.ts';
import { backup } from '../backup.ts';

export type ProcessTask = {
  readonly store: string;
  readonly root: string;
  readonly cacheDir: string;
  /** Kind of event, and how many of them, after which it stops and waits. */
  readonly stopAt?: { readonly kind: string; readonly count: number };
  readonly ids: { readonly device: string; readonly set: string; readonly destination: string };
  readonly seed: string;
  readonly keys: {
    readonly archiveId: string;
    readonly idKey: string;
    readonly chunkerKey: string;
    readonly content: string;
  };
  readonly params: Pick<ArchiveKeys, 'dataParams' | 'bundleParams'>;
};

const task = JSON.parse(process.argv[2] as string) as ProcessTask;
const hex = (text: string) => Uint8Array.fromHex(text);
const { archiveId, idKey, chunkerKey, content } = task.keys;
const keys: ArchiveKeys = {
  archiveId: hex(archiveId),
  idKey: hex(idKey),
  chunkerKey: hex(chunkerKey),
  contentKeys: new Map([[1, hex(content)]]),
  ...task.params,
};
const der = Buffer.concat([Buffer.from('302e020100300506032b657004220420', 'hex'), hex(task.seed)]);
const key = createPrivateKey({ key: der, format: 'der', type: 'pkcs8' });
const store = await openDiskStore(task.store, { create: true });
let seen = 0;

const result = await backup({
  endpoint: await openLocalEndpoint({ store, archiveId: keys.archiveId }),
  keys,
  sign: (message) => sign(null, message, key),
  deviceId: hex(task.ids.device),
  deviceName: 'laptop',
  setId: hex(task.ids.set),
  setName: 'home',
  destinationId: hex(task.ids.destination),
  agentVersion: '4.1.5',
  roots: [Buffer.from(task.root)],
  cacheDir: task.cacheDir,
  workers: 2,
  now: Date.now,
  source: { module: new URL('./later-source.ts', import.meta.url).href },
  onEvent: ({ kind }) => {
    if (kind !== task.stopAt?.kind || ++seen < task.stopAt.count) return;
    process.stdout.write('stopped\n');
    readSync(0, Buffer.alloc(1)); // until killed
  },
});
process.stdout.write(`${result.kind} ${peakKilobytes()}\n`);

/** Of this program alone: on Linux `maxRSS` begins with that of the process that started it. */
function peakKilobytes(): number {
  if (process.platform !== 'linux') return process.resourceUsage().maxRSS;
  return Number(/^VmHWM:\s*(\d+) kB$/m.exec(readFileSync('/proc/self/status', 'utf8'))?.[1]);
}
