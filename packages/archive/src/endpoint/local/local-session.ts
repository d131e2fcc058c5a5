// A session on a local archive: it only has to end. See local-archive.ts.

import { ArchiveError } from '../../errors.ts';
import { equalBytes, ID_LENGTH } from '../../format/ids.ts';
import { packName } from '../../store/layout.ts';
import type { ArchiveSession, CommitResult, Location, PackUpload, PresentIds } from '../endpoint.ts';
import { idsIn, type LocalArchive } from './local-archive.ts';

export class LocalSession implements ArchiveSession {
  readonly id: string;
  readonly epoch = 0;
  private readonly archive: LocalArchive;
  private ended = false;
  private committed: Uint8Array | null = null;

  constructor(archive: LocalArchive, id: string) {
    this.archive = archive;
    this.id = id;
  }

  async present(cursor: string | null, signal?: AbortSignal): Promise<PresentIds> {
    this.begin(signal);
    return this.archive.present(cursor);
  }

  async ask(ids: Uint8Array, signal?: AbortSignal): Promise<Uint8Array> {
    this.begin(signal);
    const answer = new Uint8Array(countOf(ids));
    let at = 0;
    for (const id of idsIn(ids)) answer[at++] = this.archive.isPresent(id) ? 1 : 0;
    return answer;
  }

  async putPack(packId: Uint8Array, bytes: Uint8Array, signal?: AbortSignal): Promise<'stored' | 'exists'> {
    this.begin(signal);
    return this.archive.storePack(packId, bytes);
  }

  async commit(object: Uint8Array, signal?: AbortSignal, pack?: PackUpload): Promise<CommitResult> {
    if (this.committed !== null && equalBytes(this.committed, object)) return { receipt: null };
    this.begin(signal);
    if (pack !== undefined) await this.archive.storePack(pack.id, pack.bytes);
    await this.archive.storeSnapshot(object);
    this.committed = object.slice();
    this.ended = true;
    return { receipt: null };
  }

  async locate(ids: Uint8Array, signal?: AbortSignal): Promise<(Location | null)[]> {
    this.begin(signal);
    countOf(ids);
    return [...idsIn(ids)].map((id) => this.archive.locate(id));
  }

  async read(packId: Uint8Array, offset: number, length: number, signal?: AbortSignal): Promise<Uint8Array> {
    this.begin(signal);
    const { archiveId, store } = this.archive;
    try {
      return await store.get(packName(archiveId, packId), { offset, length }, signal);
    } catch (error) {
      if (!(error instanceof ArchiveError) || !(error.code === 'blob_missing' || error.code === 'blob_short'))
        throw error;
      throw new ArchiveError('pack_missing', { id: packId, detail: error.message }, { cause: error });
    }
  }

  async reportLost(ids: Uint8Array, signal?: AbortSignal): Promise<void> {
    this.begin(signal);
    countOf(ids);
    await this.archive.reportLost(idsIn(ids));
  }

  async close(): Promise<void> {
    this.ended = true;
  }

  private begin(signal: AbortSignal | undefined): void {
    signal?.throwIfAborted();
    if (this.ended) throw new ArchiveError('session_ended');
  }
}

function countOf(ids: Uint8Array): number {
  if (ids.length % ID_LENGTH !== 0) throw new ArchiveError('value_invalid', { detail: 'ids have 32 bytes each' });
  return ids.length / ID_LENGTH;
}
