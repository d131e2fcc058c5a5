import { deviceRoutes } from '@holdfast/protocol/device-routes.ts';
import type { CommandModule } from '../command.ts';
import { accountPassword, newAccountPassword } from '../secrets.ts';
import { openServer } from '../server-access.ts';

export const run: CommandModule['run'] = async (context, input) => {
  const { out, signal } = context;
  const { device, connection } = await openServer(context);
  try {
    const current = await accountPassword(context, input);
    const { given, ask } = newAccountPassword(context, input);
    const body = { current, next: given ?? (await ask()) };
    await connection.authority.call(deviceRoutes.changePassword, { body }, { signal });
    out.result({ user: device.user.name, changed: true }, () => {
      out.line(`The password of ${device.user.name} is changed. Your devices go on; open sessions have ended.`);
    });
    return undefined;
  } finally {
    connection.close();
  }
};
