import { Command } from 'commander';
import { VERSION } from '../version.ts';
import { addAdmin } from './admin.ts';
import { addDumps } from './dumps.ts';
import { addEnrolment } from './enrolment.ts';
import { addKit } from './kit.ts';
import { addMaintain } from './maintain.ts';
import { addStart } from './start.ts';

/** `holdfast-server` with all its commands. */
export function buildProgram(): Command {
  const program = new Command('holdfast-server').description('Run and look after a Holdfast server.').version(VERSION);
  addStart(program);
  addEnrolment(program);
  addAdmin(program);
  addKit(program);
  addDumps(program);
  addMaintain(program);
  return program;
}
