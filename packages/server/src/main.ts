import { program } from 'commander';
import { VERSION } from './version.ts';

program.name('holdfast-server').description('Run and look after a Holdfast server.').version(VERSION);

await program.parseAsync();
