import type { Command } from 'commander';
import { append } from '../authority/audit/audit.ts';
import { inTransaction } from '../authority/context.ts';
import { readRecovery } from '../authority/keyring/keystore.ts';
import { makeKit } from '../authority/keyring/kit.ts';
import { showWords } from '../authority/keyring/words.ts';
import type { ServerConfig, ServerFlags } from '../config.ts';
import type { Foundation } from '../foundation.ts';
import { createLog } from '../http/log.ts';
import { startServer } from '../server.ts';
import { VERSION } from '../version.ts';
import { configOf, withData, withKit } from './options.ts';

export function addStart(program: Command): void {
  withKit(withData(program.command('start')))
    .description('Run the server; the first start makes everything it needs.')
    .option('--port-base <n>', 'HTTP on N and HTTPS on N + 5 (default: 4280)')
    .option('--http-port <n>', 'port of health, enrolment and downloads')
    .option('--https-port <n>', 'port of the API')
    .option('--address <name>', 'name or address that devices use (default: name of this machine)')
    .option('--listen <address>', 'interface to listen on (default: all)')
    .option('--log-level <level>', 'trace, debug, info, warn, error or fatal (default: info)')
    .option('--show-words', 'show the words of a new recovery kit also when the output is no terminal')
    .addHelpText('after', '\nExample:\n  holdfast-server start --data /var/lib/holdfast --address backup.example.org')
    .action(run);
}

async function run(flags: ServerFlags & { showWords?: boolean }): Promise<void> {
  const { showWords: always, ...rest } = flags;
  const config = configOf(rest);
  const log = createLog(config.logLevel);
  const server = await startServer({ config, log });
  const closed = closeOnSignal(server, log);
  await offerKit(config, server.foundation, always === true || process.stdout.isTTY === true);
  process.stdout.write(
    `Holdfast ${VERSION} is ready: https://${server.address}:${server.httpsPort} (HTTP on ${server.httpPort})\n` +
      (server.foundation.isNew
        ? 'Make the first administrator with "holdfast-server admin create NAME", show the line that enrols devices with\n' +
          '"holdfast-server enrolment".\n'
        : ''),
  );
  await closed;
}

/** Resolves when the server has closed after SIGTERM or SIGINT; a second signal ends the process at once. */
function closeOnSignal(server: { close(): Promise<void> }, log: ReturnType<typeof createLog>): Promise<void> {
  return new Promise((resolve, reject) => {
    let closing = false;
    const close = (signal: NodeJS.Signals) => {
      if (closing) process.exit(1);
      closing = true;
      log.info({ signal }, 'closing');
      server.close().then(resolve, reject);
    };
    process.on('SIGTERM', close);
    process.on('SIGINT', close);
  });
}

/** Makes the kit at the first start whose output somebody can read: words that nobody saw would be worth nothing. */
async function offerKit(config: ServerConfig, foundation: Foundation, visible: boolean): Promise<void> {
  if ((await readRecovery(config.keystoreDir)) !== null) return;
  if (!visible) {
    process.stderr.write('There is no recovery kit yet, so no dumps are made: run "holdfast-server kit new".\n');
    return;
  }
  await newKit(config, foundation);
}

/** Makes a kit and shows its words, this once. */
export async function newKit(config: ServerConfig, { keystore, context }: Foundation): Promise<void> {
  const words = await makeKit(keystore, config.kitFile, { now: context.now(), random: context.random });
  await inTransaction(context, (trx) => append(trx, { at: context.now(), actor: 'system', action: 'kit.made' }));
  process.stdout.write(
    `\nRecovery kit: ${config.kitFile}\nIts words are shown only now. Write them down:\n\n${showWords(words)}\n\n` +
      'Keep words and a copy of the file away from this machine, in two places. Without them nobody can read the\n' +
      'dumps of this server. Then run "holdfast-server kit confirm".\n\n',
  );
}
