/**
 * One archive in the storage role, all in this thread and with no chance that the seed does not decide: a store in memory, the index in SQLite,
 * a clock that is set.
 */
import { createPrivateKey, createPublicKey, sign } from 'node:crypto';
import { createArchiveCrypto } from '@holdfast/archive/crypto-node/archive-crypto.ts';
import type { ArchiveEndpoint } from '@holdfast/archive/endpoint/endpoint.ts';
import { toHex } from '@holdfast/archive/format/ids.ts';
import type { ArchiveKeys } from '@holdfast/archive/format/keys.ts';
import { generateArchiveKeys } from '@holdfast/archive/keys/archive-keys.ts';
import type { SignMessage } from '@holdfast/archive/keys/snapshot.ts';
import { MemoryStore } from '@holdfast/archive/store/memory.ts';
import type { CapabilityClaims } from '@holdfast/protocol/capability.ts';
import { endpointOver } from '../../../packages/agent/src/remote/remote-endpoint.ts';
import { type Archive, ensureArchive } from '../../../packages/server/src/storage/index/archives.ts';
import type { StorePoint } from '../../../packages/server/src/storage/store-point.ts';
import { type TestPoint, testPoint } from '../../../packages/server/src/storage/testing/test-point.ts';
import type { Random } from '../support/random.ts';
import { callInProcess } from './in-process.ts';

export type DeviceIdentity = {
  readonly name: string;
  readonly id: Uint8Array;
  readonly publicKey: Uint8Array;
  readonly sign: SignMessage;
};

export const DESTINATION: Uint8Array = new Uint8Array(16).fill(4);
/** RFC 8410: what stands before the seed of an Ed25519 key. */
const PKCS8_HEAD = Buffer.from('302e020100300506032b657004220420', 'hex');

export class Site {
  readonly point: TestPoint;
  readonly archive: Archive;
  readonly keys: ArchiveKeys;
  /** Not those of the archive's default: small ones make little content enough for several chunks. */
  readonly crypto: ReturnType<typeof createArchiveCrypto>;

  static async make(random: Random): Promise<Site> {
    const clock = { now: Date.UTC(2026, 0, 5) };
    const ports = random.fork('ports');
    const point = {
      ...(await testPoint({ clock, blobs: new MemoryStore({ now: () => clock.now }) })),
      random: (n: number) => new Uint8Array(ports.bytes(n)),
    };
    const chance = random.fork('keys');
    const keys = generateArchiveKeys((target) => target.set(chance.bytes(target.length)));
    const archive = await point.index.write((on) => ensureArchive(on, keys.archiveId));
    return new Site(point, archive, keys, random.fork('nonces'));
  }

  private constructor(point: TestPoint, archive: Archive, keys: ArchiveKeys, nonces: Random) {
    this.point = point;
    this.archive = archive;
    this.keys = keys;
    this.crypto = createArchiveCrypto(keys, (target) => target.set(nonces.bytes(target.length)));
  }

  device(name: string, random: Random): DeviceIdentity {
    const der = Buffer.concat([PKCS8_HEAD, random.fork(`key of ${name}`).bytes(32)]);
    const privateKey = createPrivateKey({ key: der, format: 'der', type: 'pkcs8' });
    const { x = '' } = createPublicKey(privateKey).export({ format: 'jwk' });
    return {
      name,
      id: new Uint8Array(random.fork(`id of ${name}`).bytes(16)),
      publicKey: new Uint8Array(Buffer.from(x, 'base64url')),
      sign: (message) => sign(null, message, privateKey),
    };
  }

  /** The archive as this device reaches it; `point` where not everything happens at once. */
  endpoint(device: DeviceIdentity, point: StorePoint = this.point): ArchiveEndpoint {
    const claims: CapabilityClaims = {
      iss: '00'.repeat(16),
      aud: 'holdfast storage',
      sub: toHex(device.id),
      key: toHex(device.publicKey),
      archive: toHex(this.keys.archiveId),
      destination: toHex(DESTINATION),
      user: '00'.repeat(16),
      rights: ['read'],
      iat: 0,
      exp: 0,
      jti: '00'.repeat(16),
    };
    return endpointOver(this.keys.archiveId, callInProcess(point, claims));
  }
}
