// The storage behind real HTTP on a free port, with capabilities signed as the authority signs them.

import type { CapabilityPurpose } from '@holdfast/protocol/capability.ts';
import { type Client, createClient } from '@holdfast/protocol/client.ts';
import { pino } from 'pino';
import { capabilityVerifier, signCapability } from '../../authority/keyring/capability-signer.ts';
import { newSigningKey } from '../../authority/keyring/signing-key.ts';
import { createApp } from '../../http/app.ts';
import { capabilityAuthorizer } from '../../http/capability-access.ts';
import { registerRoutes } from '../../http/register.ts';
import { createStorage, type Storage, type StorageOptions } from '../storage.ts';
import { type Keys, newKeys } from './test-point.ts';

export const deviceHex = '07'.repeat(16);

export type HttpStorage = {
  readonly base: string;
  readonly storage: Storage;
  readonly keys: Keys;
  token(archive: string, purpose: CapabilityPurpose, device?: string): Promise<string>;
  client(archive: string, purpose: CapabilityPurpose, device?: string): Promise<Client>;
  close(): Promise<void>;
};

export async function startHttpStorage(options: StorageOptions): Promise<HttpStorage> {
  const storage = await createStorage(options);
  const authority = { serverId: '01'.repeat(16), key: newSigningKey() };
  const verify = capabilityVerifier({ serverId: authority.serverId, publicKey: authority.key.publicKey }, options.now);
  const app = createApp({ log: pino({ level: 'silent' }) });
  await app.register(async (scope) =>
    registerRoutes(scope, storage.routes, { authorize: capabilityAuthorizer(verify) }),
  );
  await app.listen({ host: '127.0.0.1', port: 0 });
  const address = app.server.address() as { port: number };
  const base = `http://127.0.0.1:${address.port}`;
  const keys = newKeys();
  const token = async (archive: string, purpose: CapabilityPurpose, device = deviceHex): Promise<string> => {
    const request = {
      issuer: authority.serverId,
      device: { id: device, publicKey: keys.publicKey.toHex() },
      archive,
      destination: '04'.repeat(16),
      user: '05'.repeat(16),
      purpose,
    };
    return (await signCapability(authority.key, request, options.now())).token;
  };
  return {
    base,
    storage,
    keys,
    token,
    async client(archive, purpose, device) {
      const bearer = await token(archive, purpose, device);
      return createClient({ base, transport: (url, request) => fetch(url, request), token: () => bearer });
    },
    async close() {
      await app.close();
      await storage.close();
    },
  };
}
