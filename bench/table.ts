/** One table for a person: what must be reached, what we and the peers took, and whether it was reached. */
import { type Figures, type Goal, judge, ROWS, type Row, type RowId, type Unit } from './rows.ts';
import { PEERS } from './sides/peers.ts';
import { TAR_ZSTD } from './sides/tar.ts';

/** A row as it stands in the table and in JSON; `failed` says why there are no figures. */
export type Line = { readonly id: RowId } & (Figures | { readonly failed: string });

const BESIDE = [...PEERS, TAR_ZSTD] as const;
const HEAD = ['row', 'work', 'must reach', 'stretch', 'ours', ...BESIDE, 'ratio', 'reached'];
/** `row` and `work` are words, the others figures. */
const WORDS = 2;

export function tableOf(lines: readonly Line[]): string {
  const cells = [HEAD, ...lines.map(cellsOf)];
  const widths = HEAD.map((_, column) => Math.max(...cells.map((line) => line[column]?.length ?? 0)));
  const written = cells.map((line) =>
    line
      .map((cell, column) => (column < WORDS ? cell.padEnd(widths[column] ?? 0) : cell.padStart(widths[column] ?? 0)))
      .join('  ')
      .trimEnd(),
  );
  return `${written.join('\n')}\n`;
}

function cellsOf(line: Line): string[] {
  const { what, unit, goal }: Row = ROWS[line.id];
  const marks = [markText(goal, 'must', unit), markText(goal, 'stretch', unit)];
  if ('failed' in line) return [line.id, what, ...marks, 'failed', ...BESIDE.map(() => ''), '', 'failed'];
  const { ratio, reached } = judge(goal, line);
  return [
    line.id,
    what,
    ...marks,
    figure(line.ours, unit),
    ...BESIDE.map((name) => {
      const other = line.beside[name];
      return other === undefined ? '' : figure(other, unit);
    }),
    ratio === null ? '' : `${ratio.toFixed(2)}x`,
    reached,
  ];
}

function markText(goal: Goal, which: 'must' | 'stretch', unit: Unit): string {
  const value = goal.kind === 'told' ? null : goal[which];
  if (value === null) return '';
  switch (goal.kind) {
    case 'less-than':
      return value > 1 ? `${value}x less than ${goal.than}` : `<= ${Math.round(100 / value) / 100}x ${goal.than}`;
    case 'at-most':
      return `<= ${value} ${unit}`;
    case 'at-least':
      return `>= ${value} ${unit}`;
    default:
      return '';
  }
}

const figure = (value: number, unit: Unit): string =>
  `${unit === 'ids' ? value : value.toPrecision(value >= 1000 ? 4 : 3)} ${unit}`;

/** For programs: each line with what it was judged by. */
export const documentOf = (lines: readonly Line[]): object[] =>
  lines.map((line) => {
    const { what, unit, goal }: Row = ROWS[line.id];
    return { ...line, what, unit, goal, ...('failed' in line ? {} : judge(goal, line)) };
  });
