import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { newSet } from '../sets/backup-set.ts';
import { NO_SETTINGS, type Settings } from '../state/settings.ts';
import { unexplained } from './history.ts';
import type { Snapshot } from './snapshots.ts';

const DAY = 86_400_000;
const NOW = Date.UTC(2026, 2, 10, 12);
const SET = '11'.repeat(16);
const ids = { deviceId: 'd', setId: SET, destinationId: 'x' };

const present = (id: string, at: number): Snapshot => ({
  id,
  device: { id: 'd', name: 'laptop' },
  set: { id: SET, name: 'home' },
  destination: 'x',
  sequence: 1,
  at,
  receivedAt: at,
  deviceTime: at,
  partial: false,
  root: new Uint8Array(32),
  problems: [],
  description: {
    deviceName: 'laptop',
    setName: 'home',
    paths: [],
    counts: { files: 0, directories: 0, others: 0, bytes: 0 },
    agentVersion: '',
    started: 0,
    skipped: [],
    skippedCount: 0,
    os: '',
  },
});

const retired = (id: string, receivedAt: number, reason = 'retention') => ({
  ...ids,
  id,
  sequence: 1,
  receivedAt,
  partial: reason === 'partial',
  reason,
  retiredAt: NOW,
});

const names = (stones: ReturnType<typeof retired>[], settings: Settings = NO_SETTINGS) =>
  unexplained(stones, [present('newest', NOW - 1000)], settings).map(({ id }) => id);

describe('what retention does not explain', () => {
  it('is a snapshot that the policy keeps', () => {
    assert.deepEqual(names([retired('yesterday', NOW - DAY)]), ['yesterday']);
  });

  it('is not one that another of its quarter hour made dispensable', () => {
    assert.deepEqual(names([retired('a moment before', NOW - 2000)]), []);
  });

  it('is judged by the policy of the set, not by one that came later', () => {
    const retention = { steps: [{ untilDays: null, everyMinutes: 60 * 24 * 30 }], deletedDays: null };
    const limits = { cpu: 1, upload: null, download: null };
    const policy = {
      revision: 1,
      sets: [newSet(SET, 'home', ['~'], { retention })],
      limits: { present: limits, away: limits },
    };
    assert.deepEqual(names([retired('yesterday', NOW - DAY)], { ...NO_SETTINGS, policy }), []);
    assert.deepEqual(names([retired('yesterday', NOW - DAY)], { ...NO_SETTINGS, retentionSince: NOW + 1 }), []);
  });

  it('is not what a person has purged', () => {
    assert.deepEqual(names([retired('yesterday', NOW - DAY, 'purge')]), []);
  });
});
