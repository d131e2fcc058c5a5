// How a request that only reads uses its session.
//
// The answer is read first and the session looked at afterwards: one that is open then was open all the while, and what
// it was told stays true. So a read needs no transaction, and no lock.

import { equalBytes } from '@holdfast/archive/format/ids.ts';
import { ProtocolError } from '@holdfast/protocol/errors.ts';
import type { Archive } from '../index/archives.ts';
import { renewSession, requireSession, type Session } from '../index/sessions.ts';
import { RENEW_EVERY_MS } from '../limits.ts';
import type { StorePoint } from '../store-point.ts';

/** A session named by a request: of which archive, and by whom. */
export type SessionRef = { readonly archive: Archive; readonly id: string; readonly device: Uint8Array };

/** The session, if it is open and this device's own. */
export async function useSession(point: StorePoint, ref: SessionRef): Promise<Session> {
  const session = await point.index.read((on) => requireSession(on, ref.archive.number, ref.id));
  if (!equalBytes(session.device, ref.device)) throw new ProtocolError('session_ended');
  const now = point.now();
  if (now - session.renewed >= RENEW_EVERY_MS) await point.index.write((on) => renewSession(on, session.number, now));
  return session;
}

/** Answers a question whose answer depends on the session's epoch. */
export async function answerIn<T>(
  point: StorePoint,
  ref: SessionRef,
  question: (session: Session) => Promise<T>,
): Promise<T> {
  const session = await useSession(point, ref);
  const answer = await question(session);
  await point.index.read((on) => requireSession(on, ref.archive.number, ref.id));
  return answer;
}
