/** How the quickstart speaks: one line a step, with sizes, times and rates. */

export function step(title: string, detail = ''): void {
  process.stdout.write(`  ${title.padEnd(26)}${detail}\n`);
}

export function bytes(count: number): string {
  const units = ['B', 'kB', 'MB', 'GB', 'TB'];
  let value = count;
  let unit = 0;
  while (value >= 1000 && unit < units.length - 1) {
    value /= 1000;
    unit += 1;
  }
  return `${unit === 0 || value >= 100 ? Math.round(value) : value.toFixed(1)} ${units[unit]}`;
}

export function duration(seconds: number): string {
  return seconds < 10 ? `${seconds.toFixed(2)} s` : `${seconds.toFixed(1)} s`;
}

export function rate(count: number, seconds: number): string {
  return `${bytes(count / Math.max(seconds, 0.001))}/s`;
}
