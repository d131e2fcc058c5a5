import { execFile } from 'node:child_process';
import { existsSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import type { Config } from '../config.ts';
import { AgentError } from '../errors.ts';
import { type Kind, LABEL, type Program, serviceFile, TASK_NAME, UNIT_NAME } from './service-file.ts';

/** Installs the service: a plan first (which file, which commands), then its steps one by one. */
export type Plan = {
  readonly kind: Kind;
  readonly path: string;
  readonly content: string;
  /** How the file is encoded: Windows reads tasks as UTF-16 only. */
  readonly encoding: 'utf8' | 'utf16le';
  readonly install: readonly (readonly string[])[];
  readonly uninstall: readonly (readonly string[])[];
  /** What else the person should know. */
  readonly note: string | null;
};

const run = promisify(execFile);

/** `null` where the system has none of the three. */
export function kindOf(platform: NodeJS.Platform): Kind | null {
  if (platform === 'linux') return existsSync('/run/systemd/system') ? 'systemd' : null;
  if (platform === 'darwin') return 'launchd';
  return platform === 'win32' ? 'windows' : null;
}

export function programOf({ home, root }: Pick<Config, 'home' | 'root'>): Program {
  return {
    node: process.execPath,
    script: fileURLToPath(new URL('../../bin/holdfast.mjs', import.meta.url)),
    home,
    root,
  };
}

export function planService(kind: Kind, program: Program, { userHome, uid }: { userHome: string; uid: number }): Plan {
  const content = serviceFile(kind, program);
  switch (kind) {
    case 'systemd':
      return { kind, content, encoding: 'utf8', ...systemdPlan(program.root, userHome) };
    case 'launchd':
      return { kind, content, encoding: 'utf8', ...launchdPlan(program.root, userHome, uid) };
    case 'windows':
      return { kind, content, encoding: 'utf16le', ...windowsPlan(program.home) };
    default:
      return kind satisfies never;
  }
}

type Steps = Pick<Plan, 'path' | 'install' | 'uninstall' | 'note'>;

function systemdPlan(root: boolean, userHome: string): Steps {
  const systemctl = (...words: string[]) => ['systemctl', ...(root ? [] : ['--user']), ...words];
  return {
    path: root ? `/etc/systemd/system/${UNIT_NAME}` : join(userHome, '.config/systemd/user', UNIT_NAME),
    install: [systemctl('daemon-reload'), systemctl('enable', UNIT_NAME), systemctl('restart', UNIT_NAME)],
    uninstall: [systemctl('disable', '--now', UNIT_NAME)],
    note: root ? null : 'It runs while you are signed in. `loginctl enable-linger` keeps it running always.',
  };
}

function launchdPlan(root: boolean, userHome: string, uid: number): Steps {
  const domain = root ? 'system' : `gui/${uid}`;
  const folder = root ? '/Library/LaunchDaemons' : join(userHome, 'Library/LaunchAgents');
  const path = join(folder, `${LABEL}.plist`);
  return {
    path,
    install: [['launchctl', 'bootstrap', domain, path]],
    uninstall: [['launchctl', 'bootout', `${domain}/${LABEL}`]],
    note: 'macOS asks for "Full Disk Access" before other programs may read your folders: give it to node.',
  };
}

function windowsPlan(home: string): Steps {
  const path = join(home, 'service.xml');
  return {
    path,
    install: [
      ['schtasks', '/Create', '/TN', TASK_NAME, '/XML', path, '/F'],
      ['schtasks', '/Run', '/TN', TASK_NAME],
    ],
    uninstall: [
      ['schtasks', '/End', '/TN', TASK_NAME],
      ['schtasks', '/Delete', '/TN', TASK_NAME, '/F'],
    ],
    note: null,
  };
}

export async function installService(plan: Plan): Promise<void> {
  mkdirSync(dirname(plan.path), { recursive: true });
  // Windows finds the encoding by the mark at the beginning
  const mark = plan.encoding === 'utf16le' ? '\ufeff' : '';
  writeFileSync(plan.path, mark + plan.content, { encoding: plan.encoding, mode: 0o644 });
  for (const command of plan.install) await execute(command);
}

/** Everything is tried, so that a half-installed service goes away too; the first failure is told. */
export async function uninstallService(plan: Plan): Promise<void> {
  const failures: unknown[] = [];
  for (const command of plan.uninstall) await execute(command).catch((error: unknown) => failures.push(error));
  const wasThere = existsSync(plan.path);
  rmSync(plan.path, { force: true });
  if (failures.length > 0 && wasThere) throw failures[0];
}

async function execute([program = '', ...words]: readonly string[]): Promise<void> {
  try {
    await run(program, words);
  } catch (cause) {
    const { stderr, message } = cause as Error & { stderr?: string };
    const said = (stderr?.trim() || message).replace(/\s*\n\s*/g, '; ');
    throw new AgentError('service_failed', { what: `${[program, ...words].join(' ')}: ${said}`, cause });
  }
}
