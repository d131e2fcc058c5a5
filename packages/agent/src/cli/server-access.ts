import type { DeviceContext } from '@holdfast/protocol/enrolment-routes.ts';
import { AgentError } from '../errors.ts';
import { type Connection, type ConnectionOptions, connect, PATIENCE_OF_A_PERSON_MS } from '../remote/connection.ts';
import { type Device, type EnrolledDevice, readDevice, requireDevice } from '../state/device.ts';
import type { Home } from '../state/home.ts';
import { readSettings, valuesOf } from '../state/settings.ts';
import { type Context, homeOf } from './context.ts';

/** A command's way to the server. */
export type ServerAccess<D extends Device = EnrolledDevice> = {
  readonly home: Home;
  readonly device: D;
  readonly connection: Connection;
  /** As the server describes this device now. */
  readonly context: DeviceContext;
};

export function networkOf(context: Context, onWait?: ConnectionOptions['onWait']): Omit<ConnectionOptions, 'device'> {
  return {
    time: context.clock,
    random: () => Buffer.from(context.random(4)).readUInt32BE() / 2 ** 32,
    patienceMs: PATIENCE_OF_A_PERSON_MS,
    onWait: onWait ?? waitAloud(context),
  };
}

export function openServer(context: Context, onWait?: ConnectionOptions['onWait']): Promise<ServerAccess> {
  const home = homeOf(context);
  return openServerAs(context, home, requireDevice(home), onWait);
}

/** Also for a device whose enrolment has not come to its end. */
export async function openServerWithoutKey(context: Context): Promise<ServerAccess<Device>> {
  const home = homeOf(context);
  const device = readDevice(home);
  if (device === null) throw new AgentError('not_enrolled');
  return openServerAs(context, home, device);
}

async function openServerAs<D extends Device>(
  context: Context,
  home: Home,
  device: D,
  onWait?: ConnectionOptions['onWait'],
): Promise<ServerAccess<D>> {
  const connection = connect({ device, ...networkOf(context, onWait) });
  // Whoever runs a command is present; the line is shared with others all the same
  const values = valuesOf(readSettings(home));
  connection.upload.setRate(values['upload.present']);
  connection.download.setRate(values['download.present']);
  try {
    return { home, device, connection, context: await connection.context(context.signal) };
  } catch (error) {
    connection.close();
    throw error;
  }
}

/** Said once, not at each try. */
function waitAloud({ out }: Context): ConnectionOptions['onWait'] {
  let said = false;
  return (waiting) => {
    if (waiting !== null && !said) {
      const { error } = waiting;
      out.note(`${error instanceof Error ? error.message : error} Trying again...`);
      out.event('waiting', { why: error instanceof Error ? error.message : String(error) });
    }
    said = waiting !== null;
  };
}
