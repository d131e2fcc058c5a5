import type { ArchiveEndpoint, NamedObject } from '@holdfast/archive/endpoint/endpoint.ts';
import { ArchiveError, reasonOf } from '@holdfast/archive/errors.ts';
import { equalBytes } from '@holdfast/archive/format/ids.ts';
import { type Identity, type PublicIdentity, parseIdentity, publicIdentity } from '@holdfast/archive/keys/identity.ts';
import type { KeyLevel } from '@holdfast/archive/keys/levels.ts';
import { unwrapIdentity } from '@holdfast/archive/keys/wrap.ts';
import { PASSPHRASE_WRAP_NAME } from '@holdfast/archive/store/layout.ts';
import { wrapsNamed } from '@holdfast/archive/store/wraps.ts';
import { deviceRoutes } from '@holdfast/protocol/device-routes.ts';
import { describeDamage, fileOf } from '../archive/damaged-file.ts';
import { AgentError } from '../errors.ts';
import type { RemoteClient } from '../remote/remote-client.ts';

/**
 * How a device that has no key to an archive gets one: from the organization's escrow at key level `account`, from the archive
 * password at `archive-password`, from the exported file at `custom-key`. Never from the server alone above `account`.
 */
export type KeySource = {
  /** The exported identity, as text. */
  readonly identityFile?: string;
  /** Asks for the archive password; rejects when nobody can be asked. */
  readonly passphrase: () => Promise<string>;
  /** The password may be one from before its last change. */
  readonly earlier: boolean;
};

type Options = {
  readonly level: KeyLevel;
  /** What the authority says the user's identity is; one that is not it is refused. */
  readonly known: PublicIdentity;
  readonly authority: Pick<RemoteClient, 'call'>;
  readonly endpoint: Pick<ArchiveEndpoint, 'archiveId' | 'identityWraps'>;
  readonly deviceAgeKey: string;
  readonly signal?: AbortSignal;
};

export async function obtainIdentity(source: KeySource, options: Options): Promise<Identity> {
  const { level, known, authority, endpoint, deviceAgeKey, signal } = options;
  if (source.identityFile !== undefined) return identityFromFile(source.identityFile, known);
  switch (level) {
    case 'account': {
      const wrap = await authority.call(deviceRoutes.identity, {}, signal ? { signal } : {});
      return unwrapIdentity(wrap, { ageIdentity: deviceAgeKey }, known);
    }
    case 'archive-password': {
      const wraps = await passphraseWraps(endpoint, signal);
      const { earlier } = source;
      return identityFromPassphrase(
        endpoint.archiveId,
        wraps,
        { passphrase: await source.passphrase(), earlier },
        known,
      );
    }
    case 'custom-key':
      throw new AgentError('identity_needed');
    default:
      return level satisfies never;
  }
}

export async function passphraseWraps(
  endpoint: Pick<ArchiveEndpoint, 'identityWraps'>,
  signal?: AbortSignal,
): Promise<NamedObject[]> {
  const wraps = wrapsNamed(await endpoint.identityWraps(signal), PASSPHRASE_WRAP_NAME);
  if (wraps.length === 0) throw new AgentError('identity_needed', { what: 'The archive has no password of its own' });
  return wraps;
}

type Passphrase = { readonly passphrase: string; readonly earlier: boolean };

/**
 * `wraps`: those for the passphrase, newest first; only the newest one counts unless earlier ones may. One of another identity than
 * the one that is known is passed over: a renewal that was never finished leaves such.
 */
export async function identityFromPassphrase(
  archiveId: Uint8Array,
  wraps: readonly NamedObject[],
  { passphrase, earlier }: Passphrase,
  known?: PublicIdentity,
): Promise<Identity> {
  const refusals: (ArchiveError | AgentError)[] = [];
  for (const { name, bytes } of wraps) {
    try {
      return await unwrapIdentity(bytes, { passphrase }, known);
    } catch (error) {
      if (!(error instanceof ArchiveError)) throw error;
      refusals.push(isWhole(error) ? error : wrapDamaged(fileOf(archiveId, 'identities', name), error));
      if (!earlier && error.code !== 'identity_changed') break;
    }
  }
  throw refusals.find((error) => error instanceof AgentError) ?? refusals[0] ?? new ArchiveError('wrap_unopenable');
}

const isWhole = ({ code }: ArchiveError): boolean => code === 'passphrase_wrong' || code === 'identity_changed';

const wrapDamaged = (file: string, cause: ArchiveError): AgentError =>
  new AgentError('wrap_damaged', { what: describeDamage({ file, code: cause.code, reason: reasonOf(cause) }), cause });

export async function identityFromFile(text: string, known?: PublicIdentity): Promise<Identity> {
  const identity = await parseIdentity(text);
  if (known !== undefined && !isSameIdentity(publicIdentity(identity), known))
    throw new AgentError('identity_foreign', { cause: new ArchiveError('identity_changed') });
  return identity;
}

export const isSameIdentity = (a: PublicIdentity, b: PublicIdentity): boolean =>
  a.recipient === b.recipient && equalBytes(a.publicKey, b.publicKey);
