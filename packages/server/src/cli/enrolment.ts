import { formatEnrolment } from '@holdfast/protocol/enrolment-string.ts';
import type { Command } from 'commander';
import { recordedEndpoint } from '../authority/endpoint-record.ts';
import { theOrganization } from '../authority/organization/store.ts';
import type { ServerFlags } from '../config.ts';
import { openFoundation } from '../foundation.ts';
import { defaultAddress } from '../host-names.ts';
import { configOf, print, withData, withExample, withJson } from './options.ts';

export function addEnrolment(program: Command): void {
  withExample(withJson(withData(program.command('enrolment'))), 'enrolment --data /var/lib/holdfast')
    .description('Print the line that enrols devices.')
    .option('--address <name>', 'name or address to put into it (default: what the server was started with)')
    .option('--https-port <n>', 'port to put into it (default: where the server listens)')
    .action(async ({ json, ...flags }: ServerFlags & { json?: boolean }) => {
      const config = configOf(flags);
      const foundation = await openFoundation(config, { create: false, now: Date.now });
      try {
        const { kysely } = foundation.context.database;
        const recorded = await recordedEndpoint(kysely);
        const { registration_key: registrationKey } = await theOrganization(kysely);
        const line = formatEnrolment({
          host: config.address ?? recorded?.host ?? (await defaultAddress()),
          port: flags.httpsPort === undefined ? (recorded?.port ?? config.httpsPort) : config.httpsPort,
          caFingerprint: foundation.keystore.ca.fingerprint,
          registrationKey,
        });
        print(json, { enrolment: line }, line);
      } finally {
        await foundation.close();
      }
    });
}
