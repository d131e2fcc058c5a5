/** Whether cost grows in a straight line. Pure. */

export type Point = { readonly x: number; readonly y: number };
/** `y = start + slope * x`, and by how much of it the worst point is off (0.1 is a tenth). */
export type Line = { readonly start: number; readonly slope: number; readonly worst: number; readonly at: number };

/**
 * The line of least squares over relative distances: a point at 10,000 counts as much as one at 1,000,000, which would
 * otherwise decide alone. Points must be above zero, two or more, at different places.
 */
export function straightLine(points: readonly Point[]): Line {
  const sum = (of: (point: Point) => number): number => points.reduce((total, point) => total + of(point), 0);
  const weight = ({ y }: Point): number => 1 / (y * y);
  const w = sum(weight);
  const wx = sum((p) => weight(p) * p.x);
  const wy = sum((p) => weight(p) * p.y);
  const wxx = sum((p) => weight(p) * p.x * p.x);
  const wxy = sum((p) => weight(p) * p.x * p.y);
  const slope = (w * wxy - wx * wy) / (w * wxx - wx * wx);
  const start = (wy - slope * wx) / w;
  const off = points.map(({ x, y }) => ({ x, off: Math.abs(start + slope * x - y) / y }));
  const worst = off.reduce((a, b) => (b.off > a.off ? b : a));
  return { start, slope, worst: worst.off, at: worst.x };
}
