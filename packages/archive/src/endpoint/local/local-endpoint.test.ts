import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openDiskStore } from '../../store/disk.ts';
import { MemoryStore } from '../../store/memory.ts';
import { archiveEndpointContract } from '../contract.ts';
import { openLocalEndpoint } from './local-endpoint.ts';

archiveEndpointContract('an archive in memory', async ({ archiveId }) => ({
  endpoint: await openLocalEndpoint({ store: new MemoryStore(), archiveId }),
  close: async () => undefined,
}));

archiveEndpointContract('an archive on disk', async ({ archiveId }) => {
  const path = await mkdtemp(join(tmpdir(), 'holdfast-local-'));
  const store = await openDiskStore(path, { create: true });
  return { endpoint: await openLocalEndpoint({ store, archiveId }), close: () => rm(path, { recursive: true }) };
});
