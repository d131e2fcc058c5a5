import { AgentError } from '../../errors.ts';
import {
  formatSetting,
  parseSetting,
  SETTING_NAMES,
  SETTINGS,
  type SettingName,
  settingName,
  valuesInForce,
} from '../../limits/settings.ts';
import { editSettings, readSettings, type Settings } from '../../state/settings.ts';
import { type CommandModule, type Input, isSet } from '../command.ts';
import { homeOf } from '../context.ts';
import { table } from '../table.ts';
import { tellDaemon } from '../tell-daemon.ts';

type Run = CommandModule['run'];

export const list: Run = async (context) => {
  const settings = describe(readSettings(homeOf(context)));
  context.out.result({ settings }, () => {
    for (const line of table(settings.map(({ name, shown, from, means }) => [name, shown, from, means]))) {
      context.out.line(line);
    }
  });
  return undefined;
};

export const get: Run = async (context, input) => {
  const name = settingName(input.arguments[0] ?? '');
  const setting = describe(readSettings(homeOf(context))).find((each) => each.name === name)!;
  context.out.result(setting, () => context.out.line(setting.shown));
  return undefined;
};

export const set: Run = async (context, input) => {
  const name = settingName(input.arguments[0] ?? '');
  const home = homeOf(context);
  const changed = editSettings(home, (settings) => withValue(settings, name, input));
  await tellDaemon(home, { do: 'reload' });
  const setting = describe(changed).find((each) => each.name === name)!;
  context.out.result(setting, () => context.out.line(`${name} is ${setting.shown} (${setting.from})`));
  return undefined;
};

function withValue(settings: Settings, name: SettingName, input: Input): Settings {
  const { [name]: _before, ...others } = settings.own.values;
  if (isSet(input, 'default')) return { ...settings, own: { ...settings.own, values: others } };
  const text = input.arguments[1];
  if (text === undefined) throw new AgentError('setting_invalid', { what: `${name} takes ${SETTINGS[name].takes}` });
  return { ...settings, own: { ...settings.own, values: { ...others, [name]: parseSetting(name, text) } } };
}

function describe({ own, policy }: Settings) {
  const { values, from } = valuesInForce(own.values, policy?.limits ?? null);
  return SETTING_NAMES.map((name) => ({
    name,
    value: values[name],
    shown: formatSetting(name, values[name]),
    from: from[name],
    means: SETTINGS[name].means,
    takes: SETTINGS[name].takes,
  }));
}
