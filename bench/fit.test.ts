import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { straightLine } from './fit.ts';
import { plot } from './plot.ts';

const points = (...pairs: readonly (readonly [number, number])[]) => pairs.map(([x, y]) => ({ x, y }));
const near = (actual: number, expected: number) => assert.ok(Math.abs(actual - expected) < 1e-6, `${actual}`);

describe('the straight line', () => {
  it('is found exactly where there is one', () => {
    const { start, slope, worst } = straightLine(points([10, 25], [100, 205], [1000, 2005]));
    near(start, 5);
    near(slope, 2);
    near(worst, 0);
  });

  it('tells which point is off, by how much of it', () => {
    const { worst, at } = straightLine(points([10, 20], [100, 200], [1000, 2000], [2000, 8000]));
    assert.ok(worst > 0.3, `${worst}`);
    assert.equal(at, 2000);
  });
});

describe('the plot', () => {
  it('shows each series by its name, escaped, and all of its points', () => {
    const series = [{ name: 'a <b>', unit: 's', points: points([10, 1], [100, 5]) }];
    const svg = plot({ title: 'files & bytes', x: 'files', series });
    assert.match(svg, /^<svg [^>]*xmlns=/);
    assert.match(svg, /files &amp; bytes/);
    assert.match(svg, /a &lt;b&gt;/);
    assert.equal(svg.match(/<circle /g)?.length, 2);
    assert.doesNotMatch(svg, /NaN|undefined/);
  });
});
