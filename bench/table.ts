/** Rows as they are written to JSON, and as one table for a person. */
export type Row = {
  work: string;
  peer: string;
  ours_s: number;
  peer_s: number;
  /** How many times faster we are. */
  ratio: number;
  ours_bytes: number;
  peer_bytes: number;
  ours_rss: number;
  peer_rss: number;
  server_rss: number | null;
};

export function printTable(rows: readonly Row[]): void {
  const lines = [
    ['work', 'peer', 'ours s', 'peer s', 'ratio', 'ours MB', 'peer MB', 'ours RSS MB', 'peer RSS MB', 'server RSS MB'],
    ...rows.map((row) => [
      row.work,
      row.peer,
      row.ours_s.toFixed(2),
      row.peer_s.toFixed(2),
      `${row.ratio.toFixed(2)}x`,
      megabytes(row.ours_bytes),
      megabytes(row.peer_bytes),
      megabytes(row.ours_rss),
      megabytes(row.peer_rss),
      row.server_rss === null ? '-' : megabytes(row.server_rss),
    ]),
  ];
  const widths = (lines[0] ?? []).map((_, column) => Math.max(...lines.map((line) => line[column]?.length ?? 0)));
  for (const line of lines) {
    const cells = line.map((cell, column) =>
      column < 2 ? cell.padEnd(widths[column] ?? 0) : cell.padStart(widths[column] ?? 0),
    );
    process.stdout.write(`${cells.join('  ')}\n`);
  }
}

const megabytes = (bytes: number): string => (bytes / 1e6).toFixed(0);
