// The retention policy of an archive, as it is kept in the store point (format §7, `policy`): what is in force, and what was
// announced.
//
// A change that keeps everything acts at once. One that would retire something which the policy in force keeps is announced
// and acts a week later: a stolen console cannot shorten history overnight (ARCHIVE §5.6).

import { ArchiveError } from '@holdfast/archive/errors.ts';
import { toHex } from '@holdfast/archive/format/ids.ts';
import { parseRetentionHolds, type RetentionHold } from '@holdfast/archive/retention/holds.ts';
import { planRetention, type RetireReason } from '@holdfast/archive/retention/plan.ts';
import {
  DEFAULT_RETENTION,
  onlyKeys,
  parseRetentionPolicy,
  type RetentionPolicyJson,
  wrong,
} from '@holdfast/archive/retention/policy.ts';
import type { BlobStore } from '@holdfast/archive/store/blob-store.ts';
import { policyName } from '@holdfast/archive/store/layout.ts';
import type { Snapshot } from '../index/snapshots.ts';
import { SHORTENING_DELAY_MS } from '../limits.ts';
import { readIfThere } from '../reads/lists.ts';

/** What somebody decided for an archive. A set without an entry follows `default`; without that the built-in policy holds. */
export type ArchivePolicy = {
  readonly default?: RetentionPolicyJson;
  /** By set id, hex. */
  readonly sets?: Readonly<Record<string, RetentionPolicyJson>>;
  readonly holds?: readonly RetentionHold[];
};

export type PolicyRecord = {
  readonly inForce: ArchivePolicy;
  readonly announced?: { readonly policy: ArchivePolicy /** ms */; readonly since: number };
};

export type Retirement = { readonly snapshot: Snapshot; readonly reason: RetireReason };

export async function readPolicy(blobs: Pick<BlobStore, 'get'>, archiveId: Uint8Array): Promise<PolicyRecord | null> {
  const bytes = await readIfThere(blobs, policyName(archiveId));
  if (bytes === null) return null;
  return checkRecord(parseJson(bytes, policyName(archiveId)));
}

function parseJson(bytes: Uint8Array, name: string): unknown {
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
  } catch (cause) {
    throw new ArchiveError('policy_invalid', { name, detail: `${name} is no JSON` }, { cause });
  }
}

function checkRecord(json: unknown): PolicyRecord {
  const { inForce, announced } = onlyKeys(json, ['inForce', 'announced'], 'policy');
  checkPolicy(inForce, 'inForce');
  if (announced !== undefined) {
    const { policy, since } = onlyKeys(announced, ['policy', 'since'], 'announced');
    checkPolicy(policy, 'announced.policy');
    if (!Number.isSafeInteger(since)) throw wrong('announced.since', 'is no time in milliseconds since 1970');
  }
  return json as PolicyRecord;
}

/** Returns the policy itself, or throws `policy_invalid`: what is not understood as it was meant retires what nobody meant. */
export function checkPolicy(json: unknown, field: string): ArchivePolicy {
  const policy = onlyKeys(json, ['default', 'sets', 'holds'], field);
  if (policy['default'] !== undefined) parseRetentionPolicy(policy['default']);
  for (const [set, rule] of Object.entries(setsOf(policy['sets'], field))) {
    if (!/^[0-9a-f]{32}$/.test(set)) throw wrong(`${field}.sets`, `has "${set}", which is no id of a set`);
    parseRetentionPolicy(rule);
  }
  if (policy['holds'] !== undefined) parseRetentionHolds(policy['holds']);
  return policy;
}

function setsOf(json: unknown, field: string): object {
  if (json === undefined) return {};
  if (typeof json !== 'object' || json === null || Array.isArray(json)) throw wrong(`${field}.sets`, 'is no object');
  return json;
}

export async function writePolicy(
  blobs: Pick<BlobStore, 'put'>,
  archiveId: Uint8Array,
  record: PolicyRecord,
): Promise<Uint8Array> {
  const bytes = new TextEncoder().encode(`${JSON.stringify(record, null, 2)}\n`);
  await blobs.put(policyName(archiveId), bytes);
  return bytes;
}

/** Pure: what is in force from now on, and what waits. `wanted` null changes nothing. */
export function nextPolicy(
  stored: PolicyRecord | null,
  wanted: ArchivePolicy | null,
  snapshots: readonly Snapshot[],
  now: number,
): PolicyRecord {
  if (stored === null) return { inForce: wanted ?? {} };
  if (wanted === null) return stored;
  const { inForce, announced } = stored;
  if (isSame(wanted, inForce)) return { inForce };
  if (announced !== undefined && isSame(wanted, announced.policy))
    return now - announced.since >= SHORTENING_DELAY_MS ? { inForce: wanted } : stored;
  const goes = new Set(planArchive(inForce, snapshots, now).map(({ snapshot }) => snapshot));
  const shortens = planArchive(wanted, snapshots, now).some(({ snapshot }) => !goes.has(snapshot));
  return shortens ? { inForce, announced: { policy: wanted, since: now } } : { inForce: wanted };
}

const isSame = (a: ArchivePolicy, b: ArchivePolicy): boolean => JSON.stringify(sorted(a)) === JSON.stringify(sorted(b));

/** With the keys of objects in order, so that equal values have equal text. */
function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value)
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([key, inner]) => [key, sorted(inner)]),
  );
}

/** Pure: which snapshots go, and why. Throws `policy_invalid`. */
export function planArchive(policy: ArchivePolicy, snapshots: readonly Snapshot[], now: number): Retirement[] {
  const bySet = Map.groupBy(snapshots, (snapshot) => toHex(snapshot.backup_set));
  return [...bySet].flatMap(([set, own]) => {
    const json = policy.sets?.[set] ?? policy.default;
    const rules = json === undefined ? DEFAULT_RETENTION : parseRetentionPolicy(json);
    const byId = new Map(own.map((snapshot) => [toHex(snapshot.id), snapshot]));
    const plan = planRetention(own.map(asPlanned), rules, now, policy.holds);
    return plan.retire.map(({ id, reason }) => ({ snapshot: byId.get(id) as Snapshot, reason }));
  });
}

const asPlanned = (snapshot: Snapshot) => ({
  id: toHex(snapshot.id),
  deviceId: toHex(snapshot.device),
  setId: toHex(snapshot.backup_set),
  destinationId: toHex(snapshot.destination),
  sequence: snapshot.sequence,
  receivedAt: snapshot.received,
  partial: snapshot.partial === 1,
});
