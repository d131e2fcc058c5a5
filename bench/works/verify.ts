import type { AgentToServer } from '../sides/ours.ts';
import type { Sample } from '../work.ts';

type Progress = { readonly kind: string; readonly job?: string; readonly rate?: number };

/** The rate that the job itself tells at its end: what was read and checked a second, without the start of the process. */
export async function verify(side: AgentToServer): Promise<Sample[]> {
  const { code, stdout, stderr } = await side.onServer('maintain', 'verify');
  if (code !== 0) throw new Error(`verify ended with ${code}\n${stdout}${stderr}`);
  const told = stdout
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as Progress)
    .filter(({ kind, rate }) => kind === 'progress' && rate !== undefined);
  const rate = told.at(-1)?.rate;
  if (rate === undefined) throw new Error('verify found nothing to read');
  return [{ row: 'verify', ours: rate / 1e6, beside: {} }];
}
