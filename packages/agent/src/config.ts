import { homedir } from 'node:os';
import { join } from 'node:path';

/**
 * What the environment decides, read once at start. Everything a person may want to change while the agent runs is a
 * setting of `state/settings.ts` instead.
 */
export type Config = {
  /** The state folder: identity, settings, queue, caches. */
  readonly home: string;
  /** The user's own folder: the default selection. */
  readonly userHome: string;
  readonly platform: NodeJS.Platform;
  /** For root there is one agent for the machine; for anybody else it protects that person's files. */
  readonly root: boolean;
  readonly logLevel: string;
  /** A folder of the user's that vanishes with the session, where the system has one: for sockets. */
  readonly runtimeDir: string | null;
  /** The terminal cannot show colours and moving bars, or the user does not want them. */
  readonly plain: boolean;
  /** The session bus, where a desktop runs: asked how long nobody has typed. */
  readonly desktop: boolean;
};

type Environment = Readonly<Record<string, string | undefined>>;

export function readConfig(
  env: Environment = process.env,
  platform = process.platform,
  uid = process.getuid?.(),
): Config {
  const root = uid === 0;
  const userHome = env['HOME'] || homedir();
  return {
    home: env['HOLDFAST_HOME'] || defaultHome(env, platform, root, userHome),
    userHome,
    platform,
    root,
    logLevel: env['HOLDFAST_LOG_LEVEL'] || 'info',
    runtimeDir: env['XDG_RUNTIME_DIR'] || null,
    plain: Boolean(env['NO_COLOR']) || env['TERM'] === 'dumb',
    desktop: Boolean(env['DBUS_SESSION_BUS_ADDRESS'] && (env['DISPLAY'] || env['WAYLAND_DISPLAY'])),
  };
}

function defaultHome(env: Environment, platform: NodeJS.Platform, root: boolean, userHome: string): string {
  if (platform === 'win32') return join(env['LOCALAPPDATA'] || join(userHome, 'AppData', 'Local'), 'Holdfast');
  if (root) return '/var/lib/holdfast';
  if (platform === 'darwin') return join(userHome, 'Library', 'Application Support', 'Holdfast');
  return join(env['XDG_STATE_HOME'] || join(userHome, '.local', 'state'), 'holdfast');
}
