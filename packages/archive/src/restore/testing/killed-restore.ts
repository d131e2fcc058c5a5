// Restores an archive given as a file, and kills itself at an event: a process of its own for resume.test.ts.

import { readFileSync } from 'node:fs';
import { deserialize } from 'node:v8';
import { openLocalEndpoint } from '../../endpoint/local/local-endpoint.ts';
import { MemoryStore } from '../../store/memory.ts';
import { restore } from '../restore.ts';

const [given, dir, stop] = process.argv.slice(2) as [string, string, string];
const { keys, root, packs } = deserialize(readFileSync(given));
const store = new MemoryStore();
for (const [name, bytes] of packs) await store.put(name, bytes);
const endpoint = await openLocalEndpoint({ store, archiveId: new Uint8Array(keys.archiveId) });

let now = 0;
let events = 0;
await restore({
  endpoint,
  keys,
  root: new Uint8Array(root),
  target: { dir },
  now: () => {
    now += 1000;
    return now;
  },
  onEvent: () => {
    events++;
    if (events === Number(stop)) process.kill(process.pid, 'SIGKILL');
  },
});
