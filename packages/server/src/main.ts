import { ArchiveError } from '@holdfast/archive/errors.ts';
import { ProtocolError } from '@holdfast/protocol/errors.ts';
import { Command } from 'commander';
import { addAdmin } from './cli/admin.ts';
import { addDumps } from './cli/dumps.ts';
import { addEnrolment } from './cli/enrolment.ts';
import { addKit } from './cli/kit.ts';
import { addMaintain } from './cli/maintain.ts';
import { addStart } from './cli/start.ts';
import { ServerError } from './errors.ts';
import { VERSION } from './version.ts';

// Whatever the server writes is for its own user
process.umask(0o077);

const program = new Command('holdfast-server').description('Run and look after a Holdfast server.').version(VERSION);
addStart(program);
addEnrolment(program);
addAdmin(program);
addKit(program);
addDumps(program);
addMaintain(program);

try {
  await program.parseAsync();
} catch (error) {
  process.stderr.write(`${explain(error)}\n`);
  process.exitCode = 1;
}

/** Our own errors are advice; anything else is a defect, shown whole. */
function explain(error: unknown): string {
  const known = error instanceof ServerError || error instanceof ProtocolError || error instanceof ArchiveError;
  if (!known) return error instanceof Error ? (error.stack ?? error.message) : String(error);
  const data = error.data === undefined ? '' : ` ${JSON.stringify(error.data)}`;
  const cause = error.cause instanceof Error ? `\n  caused by: ${error.cause.message}` : '';
  return `${error.code}: ${error.message}${data}${cause}`;
}
