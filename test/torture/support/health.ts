import type { RunningServer } from '../../../scripts/processes.ts';

/** What health tells an administrator. */
export async function warningsOf({ ports }: RunningServer): Promise<readonly string[]> {
  const reply = await fetch(`http://localhost:${ports.http}/health`);
  return ((await reply.json()) as { warnings: string[] }).warnings;
}
