import { program } from 'commander';
import { VERSION } from './version.ts';

program.name('holdfast').description('Back up and restore this device.').version(VERSION);

await program.parseAsync();
