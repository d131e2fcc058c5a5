import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { ArchiveSession } from '../endpoint/endpoint.ts';
import { ArchiveError } from '../errors.ts';
import { toHex } from '../format/ids.ts';
import { createDecodePool } from './decode-pool.ts';
import { createSessionReader } from './session-reader.ts';
import { Builder, type BuiltArchive, tree } from './testing/archive-builder.ts';

const NODE = tree({ a: 'A'.repeat(300), b: 'B'.repeat(300), sub: tree({ c: 'C'.repeat(500) }) });

/** The same chunks in packs of two sizes: as before and after a compaction. */
async function twoArchives() {
  const builder = new Builder();
  const root = builder.directory(NODE);
  const before = await builder.build(root);
  const apart = new Builder(builder.keys, { small: 64, bundle: 50, piece: 100, list: 1024, part: 20, packSize: 1 });
  for (const frame of builder.frames.values()) apart.add(frame);
  return { before, after: await apart.build(root) };
}

type Changes = Partial<ArchiveSession> & { readonly opened?: () => void };

function reading(archive: BuiltArchive, change: (session: ArchiveSession) => Changes) {
  const lost: string[] = [];
  let sessions = 0;
  const endpoint = {
    openSession: async () => {
      sessions++;
      const session = await archive.endpoint.openSession('restore');
      const changed = Object.fromEntries(Object.entries(change(session)).map(([key, value]) => [key, { value }]));
      return Object.create(session, {
        reportLost: { value: async (ids: Uint8Array) => void lost.push(...hexes(ids)) },
        ...changed,
      }) as ArchiveSession;
    },
  };
  const reader = createSessionReader({ endpoint, opener: createDecodePool(archive.keys, 0) });
  return { reader, lost, sessions: () => sessions };
}

const hexes = (ids: Uint8Array) =>
  Array.from({ length: ids.length / 32 }, (_, i) => toHex(ids.subarray(32 * i, 32 * i + 32)));
const codes = (answers: readonly unknown[]) =>
  answers.map((answer) => (answer instanceof ArchiveError ? answer.code : 'opened'));

describe('reading chunks', () => {
  it('answers in the order of the question, also when an id stands in it twice', async () => {
    const { before } = await twoArchives();
    const { reader } = reading(before, () => ({}));
    const ids = [...before.frames].reverse().map(({ id }) => id);
    const answers = await reader.read([...ids, ...ids]);
    const found = answers.map((answer) => (answer instanceof ArchiveError ? answer.code : toHex(answer.id)));
    assert.deepEqual(found, [...ids, ...ids].map(toHex));
    assert.equal(reader.stats().packs, 1);
  });

  it('follows chunks that moved to other packs', async () => {
    const { before, after } = await twoArchives();
    const now = await after.endpoint.openSession('restore');
    let compacted = false;
    const { reader, lost } = reading(before, (session) => ({
      locate: (ids) => (compacted ? now : session).locate(ids),
      read: async (packId, offset, length) => {
        if (compacted) return now.read(packId, offset, length);
        compacted = true;
        throw new ArchiveError('chunk_moved');
      },
    }));
    const answers = await reader.read(before.frames.map(({ id }) => id));
    assert.deepEqual(new Set(codes(answers)), new Set(['opened']));
    assert.deepEqual(lost, []);
  });

  it('takes another location when the pack is gone, and reports what was lost', async () => {
    const { before, after } = await twoArchives();
    const other = await after.endpoint.openSession('restore');
    let gone = false;
    const { reader, lost } = reading(before, (session) => ({
      locate: (ids) => (gone ? other : session).locate(ids),
      read: async (packId, offset, length) => {
        if (gone) return other.read(packId, offset, length);
        gone = true;
        throw new ArchiveError('pack_missing', { id: packId });
      },
    }));
    const ids = before.frames.map(({ id }) => id);
    assert.deepEqual(new Set(codes(await reader.read(ids))), new Set(['opened']));
    assert.deepEqual(lost.sort(), ids.map(toHex).sort());
  });

  it('takes another location when a frame does not open, and gives up when there is none', async () => {
    const { before, after } = await twoArchives();
    const other = await after.endpoint.openSession('restore');
    const first = before.frames[0]?.id as Uint8Array;
    for (const hasOther of [true, false]) {
      let damaged = true;
      const { reader, lost } = reading(before, (session) => ({
        locate: (ids) => (damaged || !hasOther ? session : other).locate(ids),
        read: async (packId, offset, length) => {
          if (!damaged && hasOther) return other.read(packId, offset, length);
          damaged = false;
          const range = await session.read(packId, offset, length);
          range[60] = (range[60] as number) ^ 1; // in the first frame
          return range;
        },
      }));
      const answers = await reader.read(before.frames.map(({ id }) => id));
      assert.deepEqual(
        codes(answers).slice(1),
        before.frames.slice(1).map(() => 'opened'),
      );
      assert.equal(codes(answers)[0], hasOther ? 'opened' : 'chunk_seal_broken');
      assert.deepEqual(lost, [toHex(first)]);
    }
  });

  it('says which chunks are nowhere, reports them, and gives the others', async () => {
    const { before } = await twoArchives();
    const { reader, lost } = reading(before, () => ({}));
    const nowhere = new Uint8Array(32).fill(9);
    const answers = await reader.read([nowhere, before.root]);
    assert.deepEqual(codes(answers), ['chunk_missing', 'opened']);
    assert.deepEqual(lost, [toHex(nowhere)]);
  });

  it('opens a new session when the old one has ended, and asks again', async () => {
    const { before } = await twoArchives();
    let ended = 0;
    const { reader, sessions } = reading(before, (session) => ({
      locate: async (ids) => {
        if (ended++ < 1) throw new ArchiveError('session_ended');
        return session.locate(ids);
      },
      read: async (packId, offset, length) => {
        if (ended++ < 3) throw new ArchiveError('session_ended');
        return session.read(packId, offset, length);
      },
    }));
    assert.deepEqual(codes(await reader.read([before.root])), ['opened']);
    assert.equal(sessions(), 3);
    await reader.close();
  });

  it('reports nothing as lost that this reader only has no key for', async () => {
    const { before } = await twoArchives();
    const keys = { ...before.keys, contentKeys: new Map([[2, new Uint8Array(32)]]) };
    const { reader, lost } = reading({ ...before, keys }, () => ({}));
    assert.deepEqual(codes(await reader.read([before.root])), ['generation_unknown']);
    assert.deepEqual(lost, []);
  });

  it('stops when the store does not answer, and when it is aborted', async () => {
    const { before } = await twoArchives();
    const { reader } = reading(before, () => ({
      read: async () => {
        throw new ArchiveError('store_unavailable');
      },
    }));
    await assert.rejects(reader.read([before.root]), { code: 'store_unavailable' });
    const reason = new Error('enough');
    await assert.rejects(reader.read([before.root], AbortSignal.abort(reason)), reason);
  });

  it('rejects what its threads were opening when they are closed', async () => {
    const { before } = await twoArchives();
    const pool = createDecodePool(before.keys, 1);
    const large = new Uint8Array(5_000_000);
    const opening = pool.open(large, [{ chunk: 0, at: 0, length: 100, id: before.root }], () => {});
    const rejected = assert.rejects(opening, /thread ended/);
    await pool.close();
    await rejected;
    await assert.rejects(
      pool.open(large, [], () => {}),
      /thread ended/,
    );
  });

  it('rejects everything once a thread has broken down, instead of waiting for it', async () => {
    const { before } = await twoArchives();
    const pool = createDecodePool(before.keys, 1);
    const nonsense = null as unknown as [];
    await assert.rejects(
      pool.open(new Uint8Array(5_000_000), nonsense, () => {}),
      TypeError,
    );
    await assert.rejects(
      pool.open(new Uint8Array(5_000_000), [], () => {}),
      TypeError,
    );
    await pool.close();
  });

  it('passes on what the receiver throws, and goes on with the next', async () => {
    const { before } = await twoArchives();
    const pool = createDecodePool(before.keys, 1);
    const [frame] = before.frames;
    assert.ok(frame);
    const range = () => Buffer.concat([frame.frame, new Uint8Array(5_000_000)]);
    const wanted = [{ chunk: 0, at: 0, length: frame.frame.length, id: frame.id }];
    const refuse = () => {
      throw new Error('no space');
    };
    await assert.rejects(pool.open(range(), wanted, refuse), /no space/);
    const seen: number[] = [];
    await pool.open(range(), wanted, (chunk) => seen.push(chunk));
    assert.deepEqual(seen, [0]);
    await pool.close();
  });
});
