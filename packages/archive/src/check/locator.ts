// Asks where chunks lie, through sessions that may end meanwhile.

import type { ArchiveEndpoint, ArchiveSession, Location } from '../endpoint/endpoint.ts';
import { ArchiveError } from '../errors.ts';
import { concatBytes } from '../format/bytes.ts';

/** Ids per question. */
const BATCH = 4096;

export class Locator {
  private readonly endpoint: Pick<ArchiveEndpoint, 'openSession'>;
  private session: ArchiveSession | null = null;

  constructor(endpoint: Pick<ArchiveEndpoint, 'openSession'>) {
    this.endpoint = endpoint;
  }

  async locate(ids: readonly Uint8Array[], signal?: AbortSignal): Promise<(Location | null)[]> {
    const found: (Location | null)[] = [];
    for (let at = 0; at < ids.length; at += BATCH) {
      const question = concatBytes(...ids.slice(at, at + BATCH));
      found.push(...(await this.use((session) => session.locate(question, signal), signal)));
    }
    return found;
  }

  async reportLost(ids: readonly Uint8Array[], signal?: AbortSignal): Promise<void> {
    if (ids.length > 0) await this.use((session) => session.reportLost(concatBytes(...ids), signal), signal);
  }

  async close(): Promise<void> {
    await this.session?.close();
  }

  private async use<T>(ask: (session: ArchiveSession) => Promise<T>, signal?: AbortSignal): Promise<T> {
    for (let left = 2; ; left--) {
      this.session ??= await this.endpoint.openSession('check', signal);
      try {
        return await ask(this.session);
      } catch (error) {
        if (!(error instanceof ArchiveError) || error.code !== 'session_ended' || left === 0) throw error;
        this.session = null;
      }
    }
  }
}
