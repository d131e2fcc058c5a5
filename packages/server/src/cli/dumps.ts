import { resolve } from 'node:path';
import type { Command } from 'commander';
import { recover } from '../authority/dump/recover.ts';
import type { ServerFlags } from '../config.ts';
import { openFoundation } from '../foundation.ts';
import { makeDump } from '../jobs.ts';
import { askWords } from './ask.ts';
import { configOf, print, withData, withExample, withJson, withKit } from './options.ts';

type Flags = ServerFlags & { json?: boolean };

export function addDumps(program: Command): void {
  withExample(withJson(withData(program.command('dump'))), 'dump --data /var/lib/holdfast')
    .description('Write a dump now, beside a running server; only the recovery kit opens it.')
    .action(async ({ json, ...flags }: Flags) => {
      const config = configOf(flags);
      const foundation = await openFoundation(config, { create: false, now: Date.now });
      try {
        const path = await makeDump(config, foundation);
        print(json, { dump: path }, path);
      } finally {
        await foundation.close();
      }
    });

  withJson(withKit(withData(program.command('recover'))))
    .description('Make the authority again from kit and dump, in an empty data folder.')
    .requiredOption('--dump <file>', 'the newest dump')
    .option('--words <file>', "file with the kit's words (default: asked for)")
    .addHelpText(
      'after',
      '\nExample:\n  holdfast-server recover --kit recovery-kit.age --dump holdfast-20270101T020100Z.dump.age --data /var/lib/holdfast',
    )
    .action(async ({ json, dump, words, ...flags }: Flags & { dump: string; words?: string }) => {
      const config = configOf(flags);
      const recovered = await recover({
        kitFile: config.kitFile,
        words: await askWords(words),
        dumpFile: resolve(dump),
        dataDir: config.dataDir,
        keystoreDir: config.keystoreDir,
        database: config.database,
        now: Date.now(),
      });
      const made = new Date(recovered.dumpMade).toISOString();
      print(
        json,
        recovered,
        `Recovered ${recovered.rows} rows of server ${recovered.serverId} as of ${made}.\n` +
          'Next: put the store point back, run "holdfast-server reindex", start the server under its old address, and when all\n' +
          'is well "holdfast-server maintain --enable": until then nothing is thinned out or collected.',
      );
    });
}
