/** An endpoint of which somebody hears: what is about to be asked, which packs and snapshots are sent. */
import type { ArchiveEndpoint, ArchiveSession } from '@holdfast/archive/endpoint/endpoint.ts';

export type Watcher = {
  /** Before each request of a session, and before one is opened. */
  before(): Promise<void>;
  opened(session: string): Promise<void>;
  pack(bytes: Uint8Array): void;
  snapshot(object: Uint8Array): void;
};

export function watched(endpoint: ArchiveEndpoint, watcher: Watcher): ArchiveEndpoint {
  return {
    ...endpoint,
    openSession: async (purpose, signal) => {
      await watcher.before();
      const session = await endpoint.openSession(purpose, signal);
      await watcher.opened(session.id);
      return watchedSession(session, watcher);
    },
  };
}

function watchedSession(session: ArchiveSession, watcher: Watcher): ArchiveSession {
  const after =
    <A extends unknown[], R>(call: (...args: A) => Promise<R>) =>
    async (...args: A): Promise<R> => {
      await watcher.before();
      return call(...args);
    };
  return {
    id: session.id,
    epoch: session.epoch,
    present: after((...args) => session.present(...args)),
    ask: after((...args) => session.ask(...args)),
    putPack: after((id, bytes, signal) => {
      watcher.pack(bytes);
      return session.putPack(id, bytes, signal);
    }),
    commit: after((object, signal, pack) => {
      if (pack !== undefined) watcher.pack(pack.bytes);
      watcher.snapshot(object);
      return session.commit(object, signal, pack);
    }),
    locate: after((...args) => session.locate(...args)),
    read: after((...args) => session.read(...args)),
    reportLost: after((...args) => session.reportLost(...args)),
    close: after(() => session.close()),
  };
}
