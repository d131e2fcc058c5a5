/**
 * The authority role: the single source of truth about people, devices and rights.
 *
 * A *context* (database, time, randomness) and the *keyring* go in; *routes*, the *authorizer* for them, and the
 * capability verifier for a storage role come out. It never imports storage; what it needs of it comes as a port.
 */

import type { CapabilityClaims } from '@holdfast/protocol/capability.ts';
import { enrolmentRoutes } from '@holdfast/protocol/enrolment-routes.ts';
import { formatEnrolment } from '@holdfast/protocol/enrolment-string.ts';
import type { VerifyCapability } from '../http/capability-access.ts';
import { type Authorize, type ServedRoute, serve } from '../http/register.ts';
import type { IdentityWraps } from './archives/archives.ts';
import { archiveRoutes } from './archives/routes.ts';
import { authorityAuthorizer } from './authorize.ts';
import type { AuthorityContext } from './context.ts';
import { isRevoked } from './devices/capability.ts';
import { deviceRoutesOf } from './devices/routes.ts';
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
  const publicRoutes = publicRoutesOf(options);
  return {
    publicRoutes,
    routes: [
      ...publicRoutes,
      ...signInRoutes(context, passwords),
      ...userRoutes(context, passwords),
      ...organizationRoutes(context, enrolmentString),
      ...deviceRoutesOf({ context, passwords, server, issuer }),
      ...archiveRoutes({ context, wraps, escrow: keystore.escrow }, passwords),
    ],
    authorize: authorityAuthorizer(context),
    verifyCapability: capabilityVerifier(
      { serverId: keystore.serverId, publicKey: keystore.capability.publicKey },
      context.now,
    ),
    isRevoked: (claims) => isRevoked(context, claims),
    enrolmentString,
    maintenanceHold: () => maintenanceHold(context.database.kysely),
    async tidy() {
      await forgetEndedSessions(context);
      await forgetOldAttempts(context);
    },
  };
}

function publicRoutesOf({ context, keystore, version, endpoint }: AuthorityOptions): ServedRoute[] {
  return [
    serve(enrolmentRoutes.health, async () => {
      const warnings = await warningsOf(context, keystore);
      const status = warnings.includes('maintenance_held') ? ('degraded' as const) : ('ok' as const);
      return { status, version, serverId: keystore.serverId, warnings };
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

/** What an administrator has to do, by code; asking also proves that the database answers. */
async function warningsOf(context: AuthorityContext, keystore: Keystore): Promise<string[]> {
  const hold = await maintenanceHold(context.database.kysely);
  const recovery = await readRecovery(keystore.folder);
  return [
    ...(hold === null ? [] : ['maintenance_held']),
    ...(recovery === null ? ['kit_missing'] : recovery.confirmed === null ? ['kit_unconfirmed'] : []),
  ];
}
