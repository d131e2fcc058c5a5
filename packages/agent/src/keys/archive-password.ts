import type { ArchiveEndpoint } from '@holdfast/archive/endpoint/endpoint.ts';
import { type Identity, publicIdentity } from '@holdfast/archive/keys/identity.ts';
import { wrapIdentity } from '@holdfast/archive/keys/wrap.ts';
import { PASSPHRASE_WRAP_NAME } from '@holdfast/archive/store/layout.ts';
import type { DeviceContext } from '@holdfast/protocol/enrolment-routes.ts';
import type { Connection } from '../remote/connection.ts';
import type { EnrolledDevice } from '../state/device.ts';
import type { Home } from '../state/home.ts';
import { acceptedIdentity } from './follow-identity.ts';
import { identityFromPassphrase, passphraseWraps } from './obtain-identity.ts';

/** The archive's own password, at key level `archive-password`. */
type Access = {
  readonly home: Home;
  readonly device: EnrolledDevice;
  readonly connection: Connection;
  readonly context: DeviceContext;
  readonly passphrase: string;
  readonly signal?: AbortSignal;
};

export const putPassphraseWrap = async (
  endpoint: Pick<ArchiveEndpoint, 'putIdentityWrap'>,
  identity: Identity,
  passphrase: string,
  signal?: AbortSignal,
) => endpoint.putIdentityWrap(PASSPHRASE_WRAP_NAME, await wrapIdentity(identity, { passphrase }), signal);

/** The same identity under another password. */
export async function changeArchivePassword(access: Access): Promise<void> {
  const { device, connection, passphrase, signal } = access;
  const endpoint = connection.endpoint(device.archive.id, null);
  await putPassphraseWrap(endpoint, await acceptedIdentity({ ...access, endpoint }), passphrase, signal);
}

/** Rejects unless it is the password in force: a typing error must not become the password of a new identity. */
export async function requireArchivePassword(access: Access): Promise<void> {
  const { device, connection, passphrase, signal } = access;
  const endpoint = connection.endpoint(device.archive.id, null);
  const identity = await acceptedIdentity({ ...access, endpoint });
  const wraps = await passphraseWraps(endpoint, signal);
  await identityFromPassphrase(endpoint.archiveId, wraps, { passphrase, earlier: false }, publicIdentity(identity));
}
