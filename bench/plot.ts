/** A line chart as SVG, both axes logarithmic: what grows in step with x is a straight line that rises by a decade a decade. */
import { type Point, straightLine } from './fit.ts';

export type Series = { readonly name: string; readonly unit: string; readonly points: readonly Point[] };
export type Plot = { readonly title: string; readonly x: string; readonly series: readonly Series[] };

const [WIDTH, HEIGHT, LEFT, TOP, BOTTOM, RIGHT] = [900, 480, 70, 50, 60, 300];
const COLOURS = ['#1b6ca8', '#c0392b', '#27804a', '#8e44ad', '#b9770e', '#555555'];

export function plot({ title, x, series }: Plot): string {
  const all = series.flatMap(({ points }) => points);
  const across = axis(
    all.map((point) => point.x),
    LEFT,
    WIDTH - RIGHT,
  );
  const up = axis(
    all.map((point) => point.y),
    HEIGHT - BOTTOM,
    TOP,
  );
  const drawn = series.flatMap((each, i) => draw(each, i, across.place, up.place));
  return `${[
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${HEIGHT}" font-family="sans-serif" font-size="12">`,
    `<title>${escaped(title)}</title>`,
    `<rect width="${WIDTH}" height="${HEIGHT}" fill="white"/>`,
    text(LEFT, 25, title, 'font-size="16"'),
    ...across.decades.flatMap((value) => [
      line(across.place(value), TOP, across.place(value), HEIGHT - BOTTOM, '#dddddd'),
      text(across.place(value), HEIGHT - BOTTOM + 20, label(value), 'text-anchor="middle"'),
    ]),
    ...up.decades.flatMap((value) => [
      line(LEFT, up.place(value), WIDTH - RIGHT, up.place(value), '#dddddd'),
      text(LEFT - 8, up.place(value) + 4, label(value), 'text-anchor="end"'),
    ]),
    text((LEFT + WIDTH - RIGHT) / 2, HEIGHT - 15, x, 'text-anchor="middle"'),
    ...drawn,
    '</svg>',
  ].join('\n')}\n`;
}

type Place = (value: number) => number;

/** From the decade below the least to the one above the greatest. */
function axis(values: readonly number[], from: number, to: number): { place: Place; decades: number[] } {
  const low = Math.floor(Math.log10(Math.min(...values)));
  const high = Math.max(low + 1, Math.ceil(Math.log10(Math.max(...values))));
  const place = (value: number): number => from + ((Math.log10(value) - low) / (high - low)) * (to - from);
  return { place, decades: Array.from({ length: high - low + 1 }, (_, i) => 10 ** (low + i)) };
}

function draw({ name, unit, points }: Series, index: number, x: Place, y: Place): string[] {
  const colour = COLOURS[index % COLOURS.length] as string;
  const way = points.map((point) => `${x(point.x).toFixed(1)},${y(point.y).toFixed(1)}`).join(' ');
  const { worst } = straightLine(points);
  return [
    `<polyline points="${way}" fill="none" stroke="${colour}" stroke-width="2"/>`,
    ...points.map(
      (p) =>
        `<circle cx="${x(p.x).toFixed(1)}" cy="${y(p.y).toFixed(1)}" r="3" fill="${colour}">${tip(p, unit)}</circle>`,
    ),
    text(
      WIDTH - RIGHT + 15,
      TOP + 20 * index,
      `${name}, ${unit} (off a straight line: ${Math.round(worst * 100)} %)`,
      `fill="${colour}"`,
    ),
  ];
}

const tip = ({ x, y }: Point, unit: string): string => `<title>${x}: ${y.toPrecision(3)} ${escaped(unit)}</title>`;
const line = (x1: number, y1: number, x2: number, y2: number, colour: string): string =>
  `<line x1="${x1.toFixed(1)}" y1="${y1.toFixed(1)}" x2="${x2.toFixed(1)}" y2="${y2.toFixed(1)}" stroke="${colour}"/>`;
const text = (x: number, y: number, content: string, more: string): string =>
  `<text x="${x.toFixed(1)}" y="${y.toFixed(1)}" ${more}>${escaped(content)}</text>`;
const label = (value: number): string =>
  value >= 1 ? value.toLocaleString('en') : String(Number(value.toPrecision(1)));
const escaped = (content: string): string =>
  content.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
