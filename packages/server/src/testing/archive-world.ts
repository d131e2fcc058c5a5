import { randomBytes } from 'node:crypto';
import { deviceRoutes } from '@holdfast/protocol/device-routes.ts';
import { storageRoutes } from '@holdfast/protocol/storage-routes.ts';
import { decodeObjects } from '@holdfast/protocol/storage-wire.ts';
import { newAgeKey, sealTo } from '../authority/keyring/age.ts';
import { type PublicIdentity, wrapName } from '../authority/keyring/escrow.ts';
import { newSigningKey } from '../authority/keyring/signing-key.ts';
import type { TestDevice, TestServer } from './test-server.ts';

type User = Awaited<ReturnType<TestServer['addUser']>>;

/** `text`: the file of format §2.2. */
export type TestIdentity = PublicIdentity & { readonly text: string };

async function makeIdentity(): Promise<TestIdentity> {
  const [age, signing] = [await newAgeKey(), newSigningKey()];
  const { d = '' } = signing.key.export({ format: 'jwk' });
  const seed = Buffer.from(d, 'base64url').toString('hex');
  const text = `# holdfast identity 1\n${age.identity}\nHOLDFAST-SIGN-KEY-${seed}\n`;
  return { recipient: age.recipient, signingKey: signing.publicKey, text };
}

/** What a user's devices do with identities and the store point, as an agent would. */
export function archiveWorld(server: () => TestServer, newUser: () => Promise<User>) {
  const storageClient = async (device: TestDevice) => {
    const { token } = await device.client.call(deviceRoutes.capability, { body: { purpose: 'backup' } });
    return server().client(token);
  };
  const storeWrap = async (device: TestDevice, archive: string, name: string, body: Uint8Array) =>
    (await storageClient(device)).call(storageRoutes.putIdentityWrap, { params: { archive, name }, body });
  const storedWraps = async (device: TestDevice, archive: string) => {
    const list = await (await storageClient(device)).call(storageRoutes.identityWraps, { params: { archive } });
    return decodeObjects(list).map(({ name }) => name);
  };
  const escrowed = async (device: TestDevice, archive: string, identity: TestIdentity) => {
    const { escrowRecipient } = device.server;
    const wrap = await sealTo(escrowRecipient, new TextEncoder().encode(identity.text));
    await storeWrap(device, archive, wrapName(escrowRecipient), wrap);
  };
  const register = (device: TestDevice, archive: string, { recipient, signingKey }: PublicIdentity) =>
    device.client.call(deviceRoutes.registerArchive, { body: { archive, recipient, signingKey } });
  const withArchive = async () => {
    const user = await newUser();
    const device = await server().enrol(user);
    const identity = await makeIdentity();
    const archive = randomBytes(16).toString('hex');
    await register(device, archive, identity);
    await escrowed(device, archive, identity);
    await device.client.call(deviceRoutes.archiveReady, {});
    return { user, device, identity, archive };
  };

  return { makeIdentity, storeWrap, storedWraps, escrowed, register, withArchive };
}
