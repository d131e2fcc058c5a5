import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { formatBytes, formatDuration, formatRate, formatShare, parseDuration, parseRate, parseShare } from './units.ts';

describe('units', () => {
  it('reads durations as people write them', () => {
    assert.equal(parseDuration('2h'), 7_200_000);
    assert.equal(parseDuration('1h30m'), 5_400_000);
    assert.equal(parseDuration('90s'), 90_000);
    for (const text of ['', '2', 'h', '2 hours', '-1h']) {
      assert.throws(() => parseDuration(text), { code: 'duration_invalid' }, text);
    }
  });

  it('shows durations in two units', () => {
    assert.equal(formatDuration(7_500_000), '2h 5m');
    assert.equal(formatDuration(3 * 86_400_000), '3d');
    assert.equal(formatDuration(100), '0s');
    assert.equal(formatDuration(90_061_000), '1d 1h');
  });

  it('reads rates, and no limit', () => {
    assert.equal(parseRate('500K'), 512_000);
    assert.equal(parseRate('1.5MiB/s'), 1_572_864);
    assert.equal(parseRate('0'), null);
    assert.equal(parseRate('none'), null);
    assert.throws(() => parseRate('fast'), { code: 'size_invalid' });
  });

  it('reads shares as percent or fraction', () => {
    assert.equal(parseShare('20%'), 0.2);
    assert.equal(parseShare('0.5'), 0.5);
    assert.equal(parseShare('1'), 1);
    for (const text of ['150%', '20', 'x', '-1%'])
      assert.throws(() => parseShare(text), { code: 'setting_invalid' }, text);
  });

  it('shows bytes, rates and shares', () => {
    assert.equal(formatBytes(0), '0 B');
    assert.equal(formatBytes(1536), '1.5 KiB');
    assert.equal(formatBytes(52_428_800), '50 MiB');
    assert.equal(formatRate(null), 'no limit');
    assert.equal(formatRate(1_048_576), '1.0 MiB/s');
    assert.equal(formatShare(0.2), '20%');
  });
});
