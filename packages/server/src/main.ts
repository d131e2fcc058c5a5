import { ArchiveError } from '@holdfast/archive/errors.ts';
import { ProtocolError } from '@holdfast/protocol/errors.ts';
import { printableLines } from '@holdfast/protocol/printable.ts';
import { buildProgram } from './cli/program.ts';
import { ServerError } from './errors.ts';
import { letBuffersGoYoung } from './memory.ts';

export async function main(): Promise<void> {
  letBuffersGoYoung();
  // Whatever the server writes is for its own user
  process.umask(0o077);
  try {
    await buildProgram().parseAsync();
  } catch (error) {
    process.stderr.write(`${printableLines(explain(error))}\n`);
    process.exitCode = 1;
  }
}

/** Our own errors are advice; anything else is a defect, shown whole. */
function explain(error: unknown): string {
  const known = error instanceof ServerError || error instanceof ProtocolError || error instanceof ArchiveError;
  if (!known) return error instanceof Error ? (error.stack ?? error.message) : String(error);
  const data = error.data === undefined ? '' : ` ${JSON.stringify(error.data)}`;
  const cause = error.cause instanceof Error ? `\n  caused by: ${error.cause.message}` : '';
  return `${error.code}: ${error.message}${data}${cause}`;
}
