import { blobStoreContract } from './contract.ts';
import { MemoryStore } from './memory.ts';

blobStoreContract('a store in memory', async () => ({ store: new MemoryStore(), close: async () => undefined }));
