import { AgentError } from '../../errors.ts';
import {
  installService,
  kindOf,
  type Plan,
  planService,
  programOf,
  uninstallService,
} from '../../os-service/install.ts';
import type { Kind } from '../../os-service/service-file.ts';
import { type Input, textOption } from '../command.ts';
import { type Context, homeOf } from '../context.ts';

export async function run(action: string, context: Context, input: Input): Promise<undefined> {
  const usual = kindOf(context.config.platform) ?? (action === 'show' ? 'systemd' : null);
  const kind = (textOption(input, 'kind') as Kind | undefined) ?? usual;
  if (kind === null) throw new AgentError('service_unsupported', { what: 'None of them runs here' });
  const { config } = context;
  const home = action === 'install' ? homeOf(context).dir : config.home;
  const plan = planService(kind, programOf({ ...config, home }), {
    userHome: config.userHome,
    uid: process.getuid?.() ?? 0,
  });
  if (action === 'install') await install(context, plan);
  else if (action === 'uninstall') await uninstall(context, plan);
  else
    context.out.result({ kind, path: plan.path, content: plan.content }, () => {
      for (const line of plan.content.trimEnd().split(/\r?\n/)) context.out.line(line);
    });
  return undefined;
}

async function install({ out }: Context, plan: Plan): Promise<void> {
  await installService(plan);
  out.result({ kind: plan.kind, path: plan.path, installed: true }, () => {
    out.line(`The service is installed and runs (${plan.path}). \`holdfast status\` shows it.`);
    if (plan.note !== null) out.line(plan.note);
  });
}

async function uninstall({ out }: Context, plan: Plan): Promise<void> {
  await uninstallService(plan);
  out.result({ kind: plan.kind, path: plan.path, installed: false }, () => {
    out.line('The service is stopped and removed. The state folder, and all that is in the archive, stays.');
  });
}
