/** What `holdfast-server maintain --json` says. */
export type MaintenanceLine = { readonly kind: string; readonly job?: string; readonly [key: string]: unknown };
type Finished = { readonly kind: 'finished'; readonly job: string; readonly result: Readonly<Record<string, number>> };
const isFinished = (line: MaintenanceLine): line is MaintenanceLine & Finished => line.kind === 'finished';
export type Maintained = {
  readonly summary: Readonly<Record<'finished' | 'waiting' | 'skipped' | 'failed' | 'alerts', number>>;
  /** By job. */
  readonly results: Readonly<Record<string, Readonly<Record<string, number>>>>;
  readonly events: readonly MaintenanceLine[];
};

export function readMaintained(stdout: string): Maintained {
  const events = stdout
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as MaintenanceLine);
  const results = Object.fromEntries(events.filter(isFinished).map(({ job, result }) => [job, result]));
  return { summary: events.at(-1) as unknown as Maintained['summary'], results, events };
}
