import type {
  ArchiveSession,
  CommitResult,
  Location,
  PackUpload,
  PresentIds,
  Purpose,
} from '@holdfast/archive/endpoint/endpoint.ts';
import { ArchiveError, unencodable } from '@holdfast/archive/errors.ts';
import { equalBytes, toHex } from '@holdfast/archive/format/ids.ts';
import { decodeEnvelope, decodeSnapshotObject } from '@holdfast/archive/format/snapshot.ts';
import type { Input, Reply, Route } from '@holdfast/protocol/route.ts';
import { storageRoutes } from '@holdfast/protocol/storage-routes.ts';
import {
  decodeLocations,
  decodePresent,
  encodeCommit,
  MAX_IDS,
  WIRE_ID_LENGTH,
  WireError,
} from '@holdfast/protocol/storage-wire.ts';
import type { StorageCall } from './storage-call.ts';
import { inPortWords } from './wire-errors.ts';

/** Where the archive id stands in a pack (format §4), after magic and version. */
const PACK_ARCHIVE_AT = 12;

type Options = {
  readonly archiveId: Uint8Array;
  readonly id: string;
  readonly epoch: number;
  readonly purpose: Purpose;
  readonly call: StorageCall;
};

/** One session on a storage server; see remote-endpoint.ts. */
export class RemoteSession implements ArchiveSession {
  readonly id: string;
  readonly epoch: number;
  private readonly archiveId: Uint8Array;
  private readonly purpose: Purpose;
  private readonly call: StorageCall;
  private readonly params: { readonly archive: string; readonly session: string };

  constructor({ archiveId, id, epoch, purpose, call }: Options) {
    this.id = id;
    this.epoch = epoch;
    this.archiveId = archiveId;
    this.purpose = purpose;
    this.call = call;
    this.params = { archive: toHex(archiveId), session: id };
  }

  async present(cursor: string | null, signal?: AbortSignal): Promise<PresentIds> {
    const { params } = this;
    const query = cursor === null || cursor === '' ? {} : { cursor };
    return inPortWords(async () => decodePresent(await this.send(storageRoutes.present, { params, query }, signal)));
  }

  async ask(ids: Uint8Array, signal?: AbortSignal): Promise<Uint8Array> {
    const { params } = this;
    const answers = await this.inParts(ids, async (body) =>
      oneForEach(body, await this.send(storageRoutes.ask, { params, body }, signal)),
    );
    return Buffer.concat(answers);
  }

  async locate(ids: Uint8Array, signal?: AbortSignal): Promise<(Location | null)[]> {
    const { params } = this;
    const parts = await this.inParts(ids, async (body) =>
      oneForEach(body, decodeLocations(await this.send(storageRoutes.locate, { params, body }, signal))),
    );
    return parts.flat();
  }

  async reportLost(ids: Uint8Array, signal?: AbortSignal): Promise<void> {
    const { params } = this;
    await this.inParts(ids, (body) => this.send(storageRoutes.reportLost, { params, body }, signal));
  }

  async putPack(packId: Uint8Array, bytes: Uint8Array, signal?: AbortSignal): Promise<'stored' | 'exists'> {
    this.refuseForeignPack(bytes);
    const input = { params: { ...this.params, pack: toHex(packId) }, body: bytes };
    const { result } = await inPortWords(() => this.send(storageRoutes.putPack, input, signal));
    return result;
  }

  async commit(object: Uint8Array, signal?: AbortSignal, pack?: PackUpload): Promise<CommitResult> {
    const { archiveId } = decodeEnvelope(decodeSnapshotObject(object).envelope);
    if (!equalBytes(archiveId, this.archiveId)) throw new ArchiveError('wrong_archive', { record: 'snapshot' });
    if (pack) this.refuseForeignPack(pack.bytes);
    const input = {
      params: this.params,
      query: pack ? { pack: toHex(pack.id) } : {},
      body: encodeCommit(object, pack?.bytes),
    };
    return { receipt: await inPortWords(() => this.send(storageRoutes.commit, input, signal)) };
  }

  async read(packId: Uint8Array, offset: number, length: number, signal?: AbortSignal): Promise<Uint8Array> {
    const range = `bytes=${offset}-${offset + length - 1}`;
    const input = { params: { ...this.params, pack: toHex(packId) } };
    const bytes = await inPortWords(() => this.send(storageRoutes.readPack, input, signal, { range }));
    if (bytes.length === length) return bytes;
    throw new ArchiveError('pack_missing', { id: packId, detail: `${bytes.length} of ${length} bytes came` });
  }

  async close(): Promise<void> {
    const { params } = this;
    try {
      await inPortWords(() => this.send(storageRoutes.closeSession, { params }));
    } catch (error) {
      if (!(error instanceof ArchiveError && error.code === 'session_ended')) throw error;
    }
  }

  private send<const R extends Route>(
    route: R,
    input: Input<R>,
    signal?: AbortSignal,
    headers?: Record<string, string>,
  ): Promise<Reply<R>> {
    return this.call(this.purpose, route, input, signal, headers);
  }

  /** As many ids as one request may carry, one request after the other. */
  private async inParts<T>(ids: Uint8Array, exchange: (part: Uint8Array) => Promise<T>): Promise<T[]> {
    if (ids.length % WIRE_ID_LENGTH !== 0) throw unencodable('ids', `${ids.length} bytes are no whole ids`);
    const answers: T[] = [];
    for (let at = 0; at < ids.length; at += MAX_IDS * WIRE_ID_LENGTH) {
      const part = ids.subarray(at, at + MAX_IDS * WIRE_ID_LENGTH);
      answers.push(await inPortWords(() => exchange(part)));
    }
    return answers;
  }

  /** The server would refuse it too, after it has come all the way. */
  private refuseForeignPack(bytes: Uint8Array): void {
    const named = bytes.subarray(PACK_ARCHIVE_AT, PACK_ARCHIVE_AT + this.archiveId.length);
    const isPack = Buffer.from(bytes.subarray(0, PACK_ARCHIVE_AT)).equals(PACK_HEAD);
    if (isPack && !equalBytes(named, this.archiveId)) throw new ArchiveError('wrong_archive', { record: 'pack' });
  }
}

/** Else every answer behind the one that lacks or is too much would be taken for that of another id. */
function oneForEach<T extends { readonly length: number }>(ids: Uint8Array, answers: T): T {
  if (answers.length === ids.length / WIRE_ID_LENGTH) return answers;
  throw new WireError(`${answers.length} answers came for ${ids.length / WIRE_ID_LENGTH} ids`);
}

/** format §4: magic and version 1. */
const PACK_HEAD = Buffer.from('HFPACK\r\n\x00\x00\x00\x01', 'latin1');
