import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { formatDistance, formatTime, parseTime } from './time.ts';

const ZONE = 'Europe/Berlin';
const NOW = Date.parse('2026-03-10T12:00:00Z');
const at = (text: string) => new Date(parseTime(text, NOW, ZONE)).toISOString();

describe('a time', () => {
  it('may be a date, a local time, or one with a zone', () => {
    assert.equal(at('2026-03-01'), '2026-03-01T22:59:59.999Z', 'a day is meant whole');
    assert.equal(at('2026-03-01 14:30'), '2026-03-01T13:30:00.000Z');
    assert.equal(at('2026-03-01 9:05'), '2026-03-01T08:05:00.000Z');
    assert.equal(at('2026-03-01T14:30:05'), '2026-03-01T13:30:05.000Z');
    assert.equal(at('2026-03-01T14:30Z'), '2026-03-01T14:30:00.000Z');
    assert.equal(at('2026-03-01T14:30+02:00'), '2026-03-01T12:30:00.000Z');
  });

  it('may be a word or an age', () => {
    assert.equal(at('now'), '2026-03-10T12:00:00.000Z');
    assert.equal(at('yesterday'), '2026-03-09T22:59:59.999Z');
    assert.equal(at('2h'), '2026-03-10T10:00:00.000Z');
    assert.equal(at('1d12h ago'), '2026-03-09T00:00:00.000Z');
  });

  it('is refused when it is none', () => {
    for (const text of ['', 'soon', '2026', '2026-13-01', '2026-02-30', '14:30', '2026-03-01 25:00', '5']) {
      assert.throws(() => parseTime(text, NOW, ZONE), { code: 'time_invalid' }, text);
    }
  });

  it('is shown in the zone of the device, and as a distance', () => {
    assert.equal(formatTime(NOW, ZONE), '2026-03-10 13:00:00');
    assert.equal(formatDistance(NOW - 125_000, NOW), '2m ago');
    assert.equal(formatDistance(NOW + 3_600_000, NOW), 'in 1h');
    assert.equal(formatDistance(NOW, NOW), 'now');
  });
});
