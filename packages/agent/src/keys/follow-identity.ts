import type { ArchiveEndpoint } from '@holdfast/archive/endpoint/endpoint.ts';
import { ArchiveError } from '@holdfast/archive/errors.ts';
import { equalBytes } from '@holdfast/archive/format/ids.ts';
import type { ArchiveKeys } from '@holdfast/archive/format/keys.ts';
import { type Identity, type PublicIdentity, publicIdentity } from '@holdfast/archive/keys/identity.ts';
import { unwrapAny, unwrapIdentity } from '@holdfast/archive/keys/wrap.ts';
import { wrapsNamed } from '@holdfast/archive/store/wraps.ts';
import { deviceRoutes } from '@holdfast/protocol/device-routes.ts';
import type { DeviceContext } from '@holdfast/protocol/enrolment-routes.ts';
import { ProtocolError } from '@holdfast/protocol/errors.ts';
import { AgentError } from '../errors.ts';
import type { Connection } from '../remote/connection.ts';
import { type EnrolledDevice, requireDevice } from '../state/device.ts';
import type { Home } from '../state/home.ts';
import { forgetDeviceLists } from '../state/trust.ts';
import { publicOf, requireIdentity, takeOverIdentity } from './device-keys.ts';
import { joinArchive } from './join-archive.ts';
import { isSameIdentity } from './obtain-identity.ts';
import { openArchiveKeys, wrapName } from './stored-keys.ts';

/**
 * The user's identity as this device has accepted it. When another device of the user has renewed it there is a new one, wrapped
 * to this device too. It is accepted only if its key files hold every key of the archive that the old identity opens: whoever
 * made it knew them, and the server alone does not (above key level `account`).
 */
type Options = {
  readonly home: Home;
  readonly connection: Pick<Connection, 'authority' | 'now'>;
  readonly context: Pick<DeviceContext, 'archive' | 'user'>;
  readonly endpoint: ArchiveEndpoint;
  readonly signal?: AbortSignal | undefined;
};

export async function acceptedIdentity(options: Options): Promise<Identity> {
  const { home, context, endpoint, signal } = options;
  // Read here: another run of this process may have taken over a new identity since its caller looked
  const device = requireDevice(home);
  const current = await requireIdentity(home, device);
  const named = namedIdentity(context);
  if (named === null || isSameIdentity(publicIdentity(current), named)) return current;
  const { identity: next, listed } = await newIdentity(device, named, options);
  const [before, after] = await Promise.all([
    openArchiveKeys(endpoint, current, signal),
    openArchiveKeys(endpoint, next, signal),
  ]);
  // The authority was set back to an older dump: what it names is an earlier identity, and ours goes on
  if (!holdsAll(after, before) && holdsAll(before, after)) return current;
  if (!holdsAll(after, before)) throw new ArchiveError('identity_changed');
  forgetDeviceLists(home, device.archive.id);
  await takeOverIdentity(home, device, next);
  if (!listed) await joinArchive({ home, device, endpoint, identity: next, now: options.connection.now, signal });
  return next;
}

export function namedIdentity({ archive }: Pick<DeviceContext, 'archive'>): PublicIdentity | null {
  const { recipient, signingKey } = archive;
  return recipient === null || signingKey === null ? null : publicOf({ recipient, signingKey });
}

/** `listed`: whoever made it knew of this device. At level `account` escrow helps one that enrolled at that very moment. */
async function newIdentity(
  { keys }: EnrolledDevice,
  named: PublicIdentity,
  { connection, context, endpoint, signal }: Options,
): Promise<{ readonly identity: Identity; readonly listed: boolean }> {
  const key = { ageIdentity: keys.age };
  const own = wrapsNamed(await endpoint.identityWraps(signal), wrapName(keys.recipient)).map(({ bytes }) => bytes);
  try {
    if (own.length === 0) throw new AgentError('identity_missing', { what: 'The keys were renewed on another device' });
    return { identity: await unwrapAny(own, key, named), listed: true };
  } catch (error) {
    const isOurs = error instanceof AgentError || error instanceof ArchiveError;
    if (!isOurs || context.user.keyLevel !== 'account') throw error;
    return { identity: await outOfEscrow(connection, key, named, signal).catch(unlessUnusable(error)), listed: false };
  }
}

async function outOfEscrow(
  { authority }: Pick<Connection, 'authority'>,
  key: { readonly ageIdentity: string },
  named: PublicIdentity,
  signal: AbortSignal | undefined,
): Promise<Identity> {
  const wrap = await authority.call(deviceRoutes.identity, {}, signal ? { signal } : {});
  return unwrapIdentity(wrap, key, named);
}

/** Escrow that has nothing of what the server names changes nothing about why it was asked. */
const unlessUnusable =
  (why: Error) =>
  (error: unknown): never => {
    throw error instanceof ProtocolError && error.code.startsWith('key_wrap_') ? why : error;
  };

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
