import { formatTime } from '../../archive/time.ts';
import { parseDuration } from '../../limits/units.ts';
import { writePause } from '../../state/pause.ts';
import { type CommandModule, textOption } from '../command.ts';
import { homeOf } from '../context.ts';
import { tellDaemon } from '../tell-daemon.ts';

export const pause: CommandModule['run'] = async (context, input) => {
  const home = homeOf(context);
  const duration = textOption(input, 'for');
  const since = context.clock.now();
  const until = duration === undefined ? null : since + parseDuration(duration);
  writePause(home, { since, until });
  await tellDaemon(home, { do: 'reload' });
  context.out.result({ paused: true, since, until }, () => {
    const end = until === null ? 'until `holdfast resume`' : `until ${formatTime(until, context.clock.zone)}`;
    context.out.line(`Backups are paused ${end}.`);
  });
  return undefined;
};

export const resume: CommandModule['run'] = async (context) => {
  const home = homeOf(context);
  writePause(home, null);
  await tellDaemon(home, { do: 'reload' });
  context.out.result({ paused: false }, () => context.out.line('Backups go on.'));
  return undefined;
};
