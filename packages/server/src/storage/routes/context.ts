// What the handlers of the storage routes share.

import { equalBytes } from '@holdfast/archive/format/ids.ts';
import type { CapabilityClaims } from '@holdfast/protocol/capability.ts';
import { ProtocolError } from '@holdfast/protocol/errors.ts';
import type { Route } from '@holdfast/protocol/route.ts';
import { WireError } from '@holdfast/protocol/storage-wire.ts';
import { type Handler, type ServedRoute, serve } from '../../http/register.ts';
import type { Archive } from '../index/archives.ts';
import { findOpenSession, type Session } from '../index/sessions.ts';
import { drain } from '../ingest/commit-body.ts';
import type { ReadBudgets } from '../reads/budget.ts';
import type { SessionRef } from '../reads/session-use.ts';
import type { StorePoint, StorePoints } from '../store-point.ts';
import { asProtocolError } from '../wire-errors.ts';

export type RouteContext = {
  readonly points: StorePoints;
  readonly budgets: ReadBudgets;
  /** Throws `busy` while the index is being rebuilt. */
  readonly requireReady: () => void;
};

/** Ties a handler to its route; what it throws leaves as the protocol says it. */
export type On = <const R extends Route>(route: R, handle: Handler<R>) => ServedRoute;

export const onRoute =
  ({ requireReady }: RouteContext): On =>
  (route, handle) =>
    serve<typeof route>(route, async (call) => {
      requireReady();
      try {
        return await handle(call);
      } catch (error) {
        throw asProtocolError(error);
      }
    });

export type InSession = { readonly point: StorePoint; readonly archive: Archive; readonly ref: SessionRef };

export async function inSession(
  { points }: RouteContext,
  params: { readonly archive: string; readonly session: string },
  claims: CapabilityClaims,
): Promise<InSession> {
  const { point, archive } = await points.find(params.archive);
  return { point, archive, ref: { archive, id: params.session, device: Uint8Array.fromHex(claims.sub) } };
}

export function wholeIds(body: Uint8Array): Uint8Array {
  if (body.length % 32 !== 0) throw new WireError('ids of 32 bytes are expected');
  return body;
}

export const isOf = (session: Session, ref: SessionRef): boolean => equalBytes(session.device, ref.device);

/** A session serves the device that opened it. */
export async function requireOwn(point: StorePoint, ref: SessionRef): Promise<void> {
  const session = await point.index.read((on) => findOpenSession(on, ref.archive.number, ref.id));
  if (session === null || !isOf(session, ref)) throw new ProtocolError('session_ended');
}

/**
 * Hands on a streamed body. When `work` fails before its end, the rest is read and dropped: a caller that is still sending
 * would not hear the answer, and its connection could not be used again.
 */
export async function withBody<T>(
  body: AsyncIterable<Uint8Array>,
  work: (body: AsyncIterable<Uint8Array>) => Promise<T>,
): Promise<T> {
  const source = body[Symbol.asyncIterator]();
  const open = { [Symbol.asyncIterator]: () => ({ next: () => source.next() }) };
  try {
    return await work(open);
  } catch (error) {
    // The caller may hang up, or send more than is allowed; what went wrong first is what counts.
    await drain(open).catch(() => {});
    throw error;
  }
}
