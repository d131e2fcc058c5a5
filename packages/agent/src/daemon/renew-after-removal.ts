import type { DeviceContext } from '@holdfast/protocol/enrolment-routes.ts';
import { codeOf } from '../errors.ts';
import type { FillRandom } from '../keys/device-keys.ts';
import { renewIdentity } from '../keys/renew-identity.ts';
import type { Connection } from '../remote/connection.ts';
import type { Home } from '../state/home.ts';
import { readRenewal, updateRenewal } from '../state/renewal.ts';
import { failureOf } from './failure.ts';

/**
 * Before a backup seals anything: a device that was removed still holds the user's identity, so the keys are renewed. At key level
 * `account` that happens here, unasked; above it takes the password or a file, which only a person has, and `status` asks for it.
 */
type Options = {
  readonly home: Home;
  readonly connection: Connection;
  readonly context: DeviceContext;
  readonly fillRandom: FillRandom;
  readonly now: () => number;
  /** For the person at the screen, or for the log. */
  readonly say: (text: string) => void;
  readonly signal: AbortSignal;
};

/** Answers how the server describes this device afterwards. A backup never fails for this: what goes wrong is told. */
export async function renewAfterRemoval(options: Options): Promise<DeviceContext> {
  const { context, say, signal } = options;
  try {
    return await renewIfDue(options);
  } catch (error) {
    signal.throwIfAborted();
    say(`the keys could not be renewed after a device was removed: ${(error as Error).message}`);
    return context;
  }
}

async function renewIfDue(options: Options): Promise<DeviceContext> {
  const { home, context, now, say, signal } = options;
  const removed = context.formerDevices.map(({ name }) => name);
  if (removed.length === 0) {
    updateRenewal(home, { due: null });
    return context;
  }
  const byItself = context.user.keyLevel === 'account';
  const failure = byItself ? (readRenewal(home).due?.failure ?? null) : null;
  updateRenewal(home, { due: { removed, byItself, failure } });
  if (!byItself) return context;
  try {
    const archive = await renewIdentity({ ...options, renewal: { level: 'account' }, password: null });
    say(`the keys were renewed, since ${removed.join(', ')} was removed; ${OLD_KEYS}`);
    return { ...context, archive, formerDevices: [] };
  } catch (error) {
    signal.throwIfAborted();
    if (codeOf(error) === 'conflict') return followFaster(options);
    updateRenewal(home, { due: { removed, byItself, failure: failureOf(error, now(), failure) } });
    throw error;
  }
}

/** Another device has renewed them: what it made is taken when the archive is opened. */
async function followFaster({ home, connection, signal }: Options): Promise<DeviceContext> {
  const context = await connection.context(signal);
  if (context.formerDevices.length === 0) updateRenewal(home, { due: null });
  return context;
}

const OLD_KEYS =
  'what was stored before stays readable to whoever kept old keys, and a key that was exported before opens only that';
