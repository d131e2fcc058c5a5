/**
 * The chain of snapshots of this device, set and destination (ARCHIVE §4): which one the next follows.
 *
 * The newest envelope that this device made is the parent, whether the destination or only the cache has it. A fork or a lost one
 * is told and never stops a backup. That an envelope is ours shows in its signature: Ed25519 is deterministic (RFC 8032), so what this device
 * signed it signs to the same bytes again.
 */
import { hash } from 'node:crypto';
import type { StoredSnapshot } from '../endpoint/endpoint.ts';
import { ArchiveError } from '../errors.ts';
import type { ArchiveCrypto } from '../format/archive-crypto.ts';
import { equalBytes } from '../format/ids.ts';
import { decodeEnvelope, decodeSnapshotObject, type Envelope } from '../format/snapshot.ts';
import { LABEL, signedMessage } from '../format/statement.ts';
import type { SignMessage } from '../keys/snapshot.ts';
import type { ChainProblem } from './options.ts';

export type Link = {
  readonly id: Uint8Array;
  readonly envelope: Envelope;
  readonly object: Uint8Array;
  /** The destination has it. */
  readonly stored: boolean;
};

export type ChainInput = {
  readonly archiveId: Uint8Array;
  readonly deviceId: Uint8Array;
  readonly setId: Uint8Array;
  readonly destinationId: Uint8Array;
  readonly stored: readonly StoredSnapshot[];
  /** The object that the destination acknowledged last, by the cache. */
  readonly cached: Uint8Array | null;
  readonly crypto: Pick<ArchiveCrypto, 'snapshotMac'>;
  readonly sign: SignMessage;
  readonly onProblem: (problem: ChainProblem, id: Uint8Array) => void;
};

/** The parent of the next snapshot, or `null` for the first of the chain. */
export async function findParent(input: ChainInput): Promise<Link | null> {
  const links = input.stored.map(({ object }) => linkOf(input, object, true)).filter((link) => link !== null);
  links.sort((a, b) => b.envelope.sequence - a.envelope.sequence || b.envelope.deviceTime - a.envelope.deviceTime);
  const cached = input.cached && linkOf(input, input.cached, false);
  const head = await firstOwn(input, links, cached);
  // An older one that is not there may have been retired.
  if (cached && (head === null || cached.envelope.sequence > head.envelope.sequence)) {
    input.onProblem('lost', cached.id);
    return cached;
  }
  if (head && (hasTwin(links, head) || (cached && !descends(links, head, cached)))) input.onProblem('fork', head.id);
  return head;
}

/** Of this chain, or `null` for what is another's or cannot be read. */
function linkOf(input: ChainInput, object: Uint8Array | null, stored: boolean): Link | null {
  if (object === null) return null;
  try {
    const bytes = decodeSnapshotObject(object).envelope;
    const envelope = decodeEnvelope(bytes);
    const ours =
      equalBytes(envelope.archiveId, input.archiveId) &&
      equalBytes(envelope.deviceId, input.deviceId) &&
      equalBytes(envelope.setId, input.setId) &&
      equalBytes(envelope.destinationId, input.destinationId);
    return ours ? { id: hash('sha256', bytes, 'buffer'), envelope, object, stored } : null;
  } catch (error) {
    if (error instanceof ArchiveError) return null;
    throw error;
  }
}

async function firstOwn(input: ChainInput, links: readonly Link[], cached: Link | null): Promise<Link | null> {
  for (const link of links) {
    if (await isOwn(input, link)) return link;
    // One with the envelope that we made is ours, and decayed
    if (cached === null || !equalBytes(link.id, cached.id)) input.onProblem('foreign', link.id);
  }
  return null;
}

async function isOwn(input: ChainInput, { object }: Link): Promise<boolean> {
  const { envelope, signature, mac, description } = decodeSnapshotObject(object);
  // One whose description decayed is no parent: nobody can restore it, so it is offered again from the cache
  if (!equalBytes(hash('sha256', description, 'buffer'), decodeEnvelope(envelope).descriptionHash)) return false;
  if (!equalBytes(input.crypto.snapshotMac(envelope), mac)) return false;
  return equalBytes(await input.sign(signedMessage(LABEL.snapshot, envelope)), signature);
}

function hasTwin(links: readonly Link[], head: Link): boolean {
  return links.some(({ id, envelope }) => !equalBytes(id, head.id) && envelope.sequence === head.envelope.sequence);
}

/** Does following parents from `head` lead to `ancestor`, as far as the destination still has them? */
function descends(links: readonly Link[], head: Link, ancestor: Link): boolean {
  const byId = new Map(links.map((link) => [Buffer.from(link.id).toString('hex'), link]));
  for (let at: Link | undefined = head; at; ) {
    if (equalBytes(at.id, ancestor.id)) return true;
    if (at.envelope.sequence <= ancestor.envelope.sequence || at.envelope.parent === null) return false;
    const next = byId.get(Buffer.from(at.envelope.parent).toString('hex'));
    if (next === undefined) return true; // retired meanwhile: nothing speaks for a fork
    at = next;
  }
  return true;
}
