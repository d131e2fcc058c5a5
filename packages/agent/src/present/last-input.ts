import { execFile } from 'node:child_process';
import { readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { Config } from '../config.ts';

/**
 * When somebody last used this device, as well as it can be told cheaply.
 *
 * | system | source |
 * |---|---|
 * | Linux terminals | the access time of each terminal in /dev: the kernel moves it when something is typed there |
 * | Linux desktops | logind's idle hint of each graphical session; GNOME's own idle monitor on the session bus |
 * | macOS | the idle time of the input system (`ioreg`) |
 * | Windows | the idle times of the sessions (`quser`) |
 *
 * A source that is not there says nothing. Nobody ever: away. The device counts as used when any source says so.
 */
export type Source = { readonly name: string; readonly read: (now: number) => Promise<number | null> };

type Run = (command: string, ...args: string[]) => Promise<string>;

const run = promisify(execFile);
/** A desktop that hangs must not hold up the service. */
const TIMEOUT_MS = 5000;

/** Output of a command; rejects when it is not installed or fails. */
const runCommand: Run = async (command, ...args) => (await run(command, args, { timeout: TIMEOUT_MS })).stdout;

export function inputSources({ platform, desktop }: Pick<Config, 'platform' | 'desktop'>, exec = runCommand): Source[] {
  switch (platform) {
    case 'linux':
      return [terminals('/dev'), logind(exec), ...(desktop ? [gnome(exec)] : [])];
    case 'darwin':
      return [terminals('/dev'), inputSystem(exec)];
    case 'win32':
      return [windowsSessions(exec)];
    default:
      return [];
  }
}

/** The latest that any source knows; `null` where none knows anything. */
export async function lastInput(sources: readonly Source[], now: number): Promise<number | null> {
  const found = await Promise.all(sources.map(({ read }) => read(now).catch(() => null)));
  const known = found.filter((at) => at !== null);
  return known.length === 0 ? null : Math.min(now, Math.max(...known));
}

/** Consoles and pseudo-terminals. Their access time moves in steps of eight seconds. */
export function terminals(dev: string): Source {
  return {
    name: 'terminals',
    read: async () => {
      const consoles = namesIn(dev).filter((name) => /^tty(?:[1-9]\d*|S\d+|s\d+)$/.test(name));
      const pseudo = namesIn(join(dev, 'pts')).filter((name) => /^\d+$/.test(name));
      const paths = [...consoles.map((name) => join(dev, name)), ...pseudo.map((name) => join(dev, 'pts', name))];
      const times = paths.map(usedAt).filter((at) => at !== null);
      return times.length === 0 ? null : Math.max(...times);
    },
  };
}

function namesIn(dir: string): string[] {
  try {
    return readdirSync(dir);
  } catch {
    return []; // a system without pseudo-terminals
  }
}

/** A terminal that nobody owns has never been used: its times are those of the boot. */
function usedAt(path: string): number | null {
  const stat = statSync(path, { throwIfNoEntry: false });
  if (stat === undefined || !stat.isCharacterDevice()) return null;
  return stat.atimeMs > stat.birthtimeMs || stat.atimeMs > stat.ctimeMs ? stat.atimeMs : null;
}

function logind(exec: Run): Source {
  return {
    name: 'logind',
    read: async (now) => {
      const sessions = (await exec('loginctl', 'list-sessions', '--no-legend')).split('\n');
      const ids = sessions.map((line) => line.trim().split(/\s+/)[0] ?? '').filter((id) => id !== '');
      const shown = ids.map((id) => exec('loginctl', 'show-session', id, ...LOGIND_PROPERTIES));
      const times = (await Promise.all(shown)).map((text) => parseLogind(text, now)).filter((at) => at !== null);
      return times.length === 0 ? null : Math.max(...times);
    },
  };
}

const LOGIND_PROPERTIES = ['-p', 'Type', '-p', 'Active', '-p', 'IdleHint', '-p', 'IdleSinceHint'];

/** Only graphical sessions set the hint; it comes with the desktop's own delay, a few minutes. */
export function parseLogind(text: string, now: number): number | null {
  const fields = Object.fromEntries(text.split('\n').map((line) => line.split('=', 2))) as Record<string, string>;
  if (!['x11', 'wayland', 'mir'].includes(fields['Type'] ?? '') || fields['Active'] !== 'yes') return null;
  if (fields['IdleHint'] === 'no') return now;
  const since = Number(fields['IdleSinceHint']);
  return since > 0 ? since / 1000 : null;
}

function gnome(exec: Run): Source {
  const call = ['call', '--session', '--dest', 'org.gnome.Mutter.IdleMonitor'];
  const object = ['--object-path', '/org/gnome/Mutter/IdleMonitor/Core'];
  const method = ['--method', 'org.gnome.Mutter.IdleMonitor.GetIdletime'];
  return {
    name: 'GNOME',
    read: async (now) => before(now, /uint64 (\d+)/.exec(await exec('gdbus', ...call, ...object, ...method)), 1),
  };
}

function inputSystem(exec: Run): Source {
  return {
    name: 'input system',
    read: async (now) => before(now, /"HIDIdleTime" = (\d+)/.exec(await exec('ioreg', '-c', 'IOHIDSystem')), 1e-6),
  };
}

function windowsSessions(exec: Run): Source {
  return { name: 'sessions', read: async (now) => parseQuser(await exec('quser'), now) };
}

/** The idle column: `.` or `none` is now, `5` minutes, `1:30` hours, `2+03:04` days. */
export function parseQuser(text: string, now: number): number | null {
  const times = text.split('\n').flatMap((line) => {
    const match = /\s\d+\s+(?:Active|Disc)\s+(\.|none|(?:(\d+)\+)?(?:(\d+):)?(\d+))\s/i.exec(line);
    if (match === null) return [];
    const [, , days = 0, hours = 0, minutes = 0] = match;
    return [now - ((Number(days) * 24 + Number(hours)) * 60 + Number(minutes)) * 60_000];
  });
  return times.length === 0 ? null : Math.max(...times);
}

const before = (now: number, match: RegExpExecArray | null, toMs: number): number | null =>
  match === null ? null : now - Number(match[1]) * toMs;
