/**
 * The authority role: the single source of truth about people, devices and rights.
 *
 * A *context* (database, time, randomness) and the *keyring* go in; *routes*, the *authorizer* for them, and the
 * capability verifier for a storage role come out. It never imports storage; what it needs of it comes as ports.
 */

import type { CapabilityClaims } from '@holdfast/protocol/capability.ts';
import { enrolmentRoutes } from '@holdfast/protocol/enrolment-routes.ts';
import { formatEnrolment } from '@holdfast/protocol/enrolment-string.ts';
import { isDegraded, type Warning } from '@holdfast/protocol/warnings.ts';
import type { VerifyCapability } from '../http/capability-access.ts';
import { type Authorize, type ServedRoute, serve } from '../http/register.ts';
import type { Warnings } from '../warnings-port.ts';
import type { IdentityWraps } from './archives/archives.ts';
import { archiveRoutes } from './archives/routes.ts';
import { authorityAuthorizer } from './authorize.ts';
import type { AuthorityContext } from './context.ts';
import { isRevoked } from './devices/capability.ts';
import { deviceRoutesOf } from './devices/routes.ts';
import { hasFailedJob } from './job-failures.ts';
import { keyRequestRoutesOf } from './key-requests/routes.ts';
import { forgetEndedRequests } from './key-requests/store.ts';
import { capabilityVerifier } from './keyring/capability-signer.ts';
import { type Keystore, readRecovery } from './keyring/keystore.ts';
import { maintenanceHold } from './maintenance-hold.ts';
import { organizationRoutes } from './organization/routes.ts';
import { forgetOldAttempts } from './sign-in/attempts.ts';
import type { Passwords } from './sign-in/passwords.ts';
import { signInRoutes } from './sign-in/routes.ts';
import { forgetEndedSessions } from './sign-in/sessions.ts';
import { userRoutes } from './users/routes.ts';

export type AuthorityOptions = {
  readonly context: AuthorityContext;
  readonly keystore: Keystore;
  readonly passwords: Passwords;
  readonly wraps: IdentityWraps;
  readonly version: string;
  /** Of the other parts of the server. */
  readonly otherWarnings: Warnings;
  /** Where devices reach the API; known once it listens. */
  readonly endpoint: () => { readonly host: string; readonly port: number };
};

export type Authority = {
  readonly routes: readonly ServedRoute[];
  /** Those that are served without TLS too. */
  readonly publicRoutes: readonly ServedRoute[];
  readonly authorize: Authorize;
  readonly verifyCapability: VerifyCapability;
  readonly isRevoked: (claims: CapabilityClaims) => Promise<boolean>;
  readonly enrolmentString: (registrationKey: string) => string;
  /** Everything that health tells. */
  readonly warnings: Warnings;
  /** Why retention and collect must not run now; `null` when they may. */
  readonly maintenanceHold: () => Promise<string | null>;
  /** Forgets what is over; call now and then. */
  readonly tidy: () => Promise<void>;
};

export function createAuthority(options: AuthorityOptions): Authority {
  const { context, keystore, passwords, wraps, version, endpoint } = options;
  const server = {
    id: keystore.serverId,
    version,
    receiptKey: keystore.receipt.publicKey,
    escrowRecipient: keystore.escrow.recipient,
  };
  const issuer = { serverId: keystore.serverId, key: keystore.capability };
  const enrolmentString = (registrationKey: string) =>
    formatEnrolment({ ...endpoint(), caFingerprint: keystore.ca.fingerprint, registrationKey });
  const warnings: Warnings = async () => [
    ...new Set([...(await warningsOf(context, keystore)), ...(await options.otherWarnings())]),
  ];
  const publicRoutes = publicRoutesOf(options, warnings);
  return {
    publicRoutes,
    routes: [
      ...publicRoutes,
      ...signInRoutes(context, passwords),
      ...userRoutes(context, passwords),
      ...organizationRoutes(context, enrolmentString),
      ...deviceRoutesOf({ context, passwords, server, issuer }),
      ...keyRequestRoutesOf(context),
      ...archiveRoutes({ context, wraps, escrow: keystore.escrow }, passwords),
    ],
    authorize: authorityAuthorizer(context),
    verifyCapability: capabilityVerifier(
      { serverId: keystore.serverId, publicKey: keystore.capability.publicKey },
      context.now,
    ),
    isRevoked: (claims) => isRevoked(context, claims),
    enrolmentString,
    warnings,
    maintenanceHold: () => maintenanceHold(context.database.kysely),
    async tidy() {
      await forgetEndedSessions(context);
      await forgetOldAttempts(context);
      await forgetEndedRequests(context.database.kysely, context.now());
    },
  };
}

function publicRoutesOf({ keystore, version, endpoint }: AuthorityOptions, warnings: Warnings): ServedRoute[] {
  return [
    serve(enrolmentRoutes.health, async () => {
      const standing = [...(await warnings())];
      const status = isDegraded(standing) ? ('degraded' as const) : ('ok' as const);
      return { status, version, serverId: keystore.serverId, warnings: standing };
    }),
    serve(enrolmentRoutes.enrolment, async () => ({
      serverId: keystore.serverId,
      version,
      caCertificate: keystore.ca.certificate,
      caFingerprint: keystore.ca.fingerprint,
      apiPort: endpoint().port,
    })),
  ];
}

/** What the authority itself knows; asking also proves that its database answers. */
async function warningsOf({ database }: AuthorityContext, keystore: Keystore): Promise<Warning[]> {
  const recovery = await readRecovery(keystore.folder);
  const found: Warning[] = [];
  if (recovery === null) found.push('kit_missing');
  else if (recovery.confirmed === null) found.push('kit_unconfirmed');
  if ((await maintenanceHold(database.kysely)) !== null) found.push('maintenance_held');
  if (await hasFailedJob(database.kysely)) found.push('job_failed');
  return found;
}
