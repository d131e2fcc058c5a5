import { readFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import type { Command } from 'commander';
import { append } from '../authority/audit/audit.ts';
import { inTransaction } from '../authority/context.ts';
import { identitiesFromWraps } from '../authority/keyring/escrow.ts';
import { readRecovery } from '../authority/keyring/keystore.ts';
import { confirmKit, openKit } from '../authority/keyring/kit.ts';
import type { ServerFlags } from '../config.ts';
import { ServerError } from '../errors.ts';
import { writeDurably } from '../files.ts';
import { openFoundation } from '../foundation.ts';
import { askWords } from './ask.ts';
import { configOf, print, withData, withExample, withJson, withKit } from './options.ts';
import { newKit } from './start.ts';

type KitFlags = ServerFlags & { words?: string; json?: boolean };

export function addKit(program: Command): void {
  const kit = program.command('kit').description('Look after the recovery kit.');

  withExample(
    withKit(withData(kit.command('new'))),
    'kit new --data /var/lib/holdfast --kit /media/usb/recovery-kit.age',
  )
    .description('Make a new kit and show its words; older dumps still need the older kit.')
    .option('--replace', 'also when there is a kit that was confirmed')
    .action(async ({ replace, ...flags }: ServerFlags & { replace?: boolean }) => {
      const config = configOf(flags);
      const foundation = await openFoundation(config, { create: false, now: Date.now });
      try {
        const present = await readRecovery(config.keystoreDir);
        if (present !== null && present.confirmed !== null && replace !== true) throw new ServerError('kit_confirmed');
        await newKit(config, foundation);
      } finally {
        await foundation.close();
      }
    });

  withExample(
    withJson(withKit(withData(kit.command('confirm')))),
    'kit confirm --kit /media/usb/recovery-kit.age --words words.txt --data /var/lib/holdfast',
  )
    .description('Prove that file and words are kept: the server stops warning.')
    .option('--words <file>', 'file with the words (default: asked for)')
    .action(async ({ words, json, ...flags }: KitFlags) => {
      const config = configOf(flags);
      const foundation = await openFoundation(config, { create: false, now: Date.now });
      try {
        const { context, keystore } = foundation;
        await confirmKit(keystore, config.kitFile, await askWords(words), context.now());
        await inTransaction(context, (trx) =>
          append(trx, { at: context.now(), actor: 'system', action: 'kit.confirmed' }),
        );
        print(json, { confirmed: true }, 'The kit opens with these words. Keep both away from this machine.');
      } finally {
        await foundation.close();
      }
    });

  withJson(withKit(kit.command('identity')))
    .description("Open a user's identity out of escrow, for a restore from a store point without a server.")
    .requiredOption('--wrap <files...>', "the archive's identities/*.age; the one for escrow is found among them")
    .requiredOption('--out <file>', 'where to write the identity')
    .option('--words <file>', 'file with the words (default: asked for)')
    .addHelpText(
      'after',
      '\nExample:\n  holdfast-server kit identity --kit recovery-kit.age --wrap store/archives/0a99ecbb646dd70e5ccb42e936f20f9f/identities/*.age --out identity.txt',
    )
    .action(async ({ words, json, wrap, out, ...flags }: KitFlags & { wrap: string[]; out: string }) => {
      const { escrowIdentity } = await openKit(configOf(flags).kitFile, await askWords(words));
      const wraps = await Promise.all(newestFirst(wrap).map((file) => readFile(file)));
      const [newest, ...others] = await identitiesFromWraps(escrowIdentity, wraps);
      const files = [newest, ...others].map((_, at) => (at === 0 ? resolve(out) : `${resolve(out)}.${at + 1}`));
      for (const [at, identity] of [newest, ...others].entries()) await writeDurably(files[at]!, identity!);
      print(json, { identity: files[0], others: files.slice(1) }, wroteIdentities(files));
    });
}

/** A recipient's later wraps are numbered (format §7): `<digits>-00002.age` comes after `<digits>.age`. */
function newestFirst(files: readonly string[]): string[] {
  const numberOf = (file: string) => Number(/-(\d{5})\.age$/.exec(file)?.[1] ?? 1);
  return [...files].sort((a, b) => numberOf(b) - numberOf(a));
}

function wroteIdentities([newest, ...others]: readonly string[]): string {
  const wrote = `Wrote ${newest}. It opens the archive: delete it afterwards.`;
  if (others.length === 0) return wrote;
  return `${wrote}\nThe keys were renewed, so there are earlier ones too: ${others.join(', ')}. Try them if the newest does not open the newest snapshots.`;
}
