import type { ArchiveEndpoint } from '@holdfast/archive/endpoint/endpoint.ts';
import { ArchiveError } from '@holdfast/archive/errors.ts';
import { equalBytes } from '@holdfast/archive/format/ids.ts';
import type { ArchiveKeys } from '@holdfast/archive/format/keys.ts';
import type { Identity } from '@holdfast/archive/keys/identity.ts';
import { unwrapAny } from '@holdfast/archive/keys/wrap.ts';
import { wrapsNamed } from '@holdfast/archive/store/wraps.ts';
import type { DeviceContext } from '@holdfast/protocol/enrolment-routes.ts';
import { AgentError } from '../errors.ts';
import { type ArchivePin, type EnrolledDevice, writeDevice } from '../state/device.ts';
import type { Home } from '../state/home.ts';
import { pinOf, publicOf, requireIdentity, saveIdentity } from './device-keys.ts';
import { openArchiveKeys, wrapName } from './stored-keys.ts';

/**
 * The user's identity as this device has accepted it. When another device of the user has raised the key level there is a new
 * one, wrapped to this device too. It is accepted only if its key files hold every key of the archive that the old
 * identity opens: whoever made it knew them, and the server alone does not (above key level `account`).
 */
type Options = {
  readonly home: Home;
  readonly device: EnrolledDevice;
  readonly context: Pick<DeviceContext, 'archive'>;
  readonly endpoint: Pick<ArchiveEndpoint, 'archiveId' | 'keyFiles' | 'identityWraps'>;
  readonly signal?: AbortSignal;
};

export async function acceptedIdentity({ home, device, context, endpoint, signal }: Options): Promise<Identity> {
  const { recipient, signingKey } = context.archive;
  const isSame = recipient === device.archive.recipient && signingKey === device.archive.signingKey;
  const current = await requireIdentity(home, device);
  if (isSame || recipient === null || signingKey === null) return current;
  const next = await newIdentity(device, { recipient, signingKey }, endpoint, signal);
  const [before, after] = await Promise.all([
    openArchiveKeys(endpoint, current, signal),
    openArchiveKeys(endpoint, next, signal),
  ]);
  if (!holdsAll(after, before)) throw new ArchiveError('identity_changed');
  await saveIdentity(home, next, device.keys.recipient);
  writeDevice(home, { ...device, archive: pinOf(device.archive.id, next) });
  return next;
}

async function newIdentity(
  device: EnrolledDevice,
  named: Pick<ArchivePin, 'recipient' | 'signingKey'>,
  endpoint: Pick<ArchiveEndpoint, 'identityWraps'>,
  signal?: AbortSignal,
): Promise<Identity> {
  const own = wrapsNamed(await endpoint.identityWraps(signal), wrapName(device.keys.recipient));
  if (own.length === 0)
    throw new AgentError('identity_missing', { what: 'The key level was raised on another device' });
  const wraps = own.map(({ bytes }) => bytes);
  return unwrapAny(wraps, { ageIdentity: device.keys.age }, publicOf(named));
}

function holdsAll(after: ArchiveKeys, before: ArchiveKeys): boolean {
  const sameRoot = equalBytes(after.idKey, before.idKey) && equalBytes(after.chunkerKey, before.chunkerKey);
  return (
    sameRoot &&
    [...before.contentKeys].every(([generation, key]) => {
      const other = after.contentKeys.get(generation);
      return other !== undefined && equalBytes(other, key);
    })
  );
}
