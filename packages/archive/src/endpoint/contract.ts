// The contract of endpoint.ts as tests: every implementation passes them, over a disk or over the network.

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { generateHybridIdentity, identityToRecipient } from 'age-encryption';
import fc from 'fast-check';
import { ArchiveError } from '../errors.ts';
import { equalBytes, toHex } from '../format/ids.ts';
import { sealToPassphrase, sealToRecipient } from '../keys/age-file.ts';
import { signDeviceList } from '../keys/device-list.ts';
import type { ArchiveEndpoint, ArchiveSession, Location, PresentIds } from './endpoint.ts';
import { PREFIX_LENGTH } from './endpoint.ts';
import {
  type ArchiveFixture,
  type FixtureChunk,
  idsOf,
  makeArchiveFixture,
  sha256,
} from './testing/archive-fixture.ts';

/** An endpoint of the fixture's archive, which is empty and whose device may add to it; and how all of it is cleared away. */
export type OpenEndpoint = (
  fixture: ArchiveFixture,
) => Promise<{ readonly endpoint: ArchiveEndpoint; readonly close: () => Promise<void> }>;

type Scene = { readonly a: ArchiveFixture; readonly endpoint: ArchiveEndpoint; readonly session: ArchiveSession };

export function archiveEndpointContract(what: string, open: OpenEndpoint): void {
  describe(`${what} keeps the contract of an endpoint`, () => {
    for (const checks of [QUESTIONS, PACKS, SNAPSHOTS, SESSIONS, LOSS, OBJECTS]) {
      for (const [name, check] of Object.entries(checks)) it(name, () => withScene(open, check));
    }
    it('never holds a tree whose links it lacks, in whatever order packs come', () => childrenFirst(open));
  });
}

type Checks = Readonly<Record<string, (scene: Scene) => Promise<void>>>;

const QUESTIONS: Checks = {
  'is empty at first': async ({ a, endpoint, session }) => {
    const chunk = a.data('x');
    assert.deepEqual(endpoint.archiveId, a.archiveId);
    assert.deepEqual(await endpoint.snapshots(), []);
    assert.deepEqual(await endpoint.tombstones(), []);
    assert.deepEqual(await endpoint.deviceLists(), []);
    assert.equal((await session.present(null)).prefixes.length, 0);
    assert.deepEqual([...(await session.ask(idsOf(chunk)))], [0]);
    assert.deepEqual(await session.locate(idsOf(chunk)), [null]);
    assert.deepEqual([...(await session.ask(new Uint8Array(0)))], []);
  },
  'finds what was stored, by each kind of question alike': async ({ a, session }) => {
    const [one, two, unknown] = [a.data('one'), a.bundle('two'), a.data('unknown')];
    const pack = a.pack(one, two);
    assert.equal(await session.putPack(pack.id, pack.bytes), 'stored');
    assert.deepEqual([...(await session.ask(idsOf(two, unknown, one)))], [1, 0, 1]);
    assert.deepEqual(prefixes(await session.present(null)), prefixesOf(one, two));
    const located = await session.locate(idsOf(two, unknown, one, two));
    assert.equal(located[1], null);
    assert.deepEqual(located[0], located[3]);
    assert.deepEqual(await readFrame(session, located[0]), Buffer.from(two.frame));
    assert.deepEqual(await readFrame(session, located[2]), Buffer.from(one.frame));
    for (const place of located)
      if (place?.kind !== undefined) assert.ok([one.kind, two.kind].includes(place.kind as never));
  },
  'tells only what is new since a cursor, or everything': async ({ a, endpoint, session }) => {
    const chunks = [a.data('1'), a.data('2'), a.data('3')] as const;
    const known = new Set<string>();
    let cursor: string | null = null;
    for (const chunk of chunks) {
      const pack = a.pack(chunk);
      await session.putPack(pack.id, pack.bytes);
      const answer: PresentIds = await session.present(cursor);
      learn(known, answer);
      cursor = answer.cursor;
    }
    assert.deepEqual([...known].sort(), prefixesOf(...chunks));
    const other = await endpoint.openSession('backup');
    const again = await other.present(cursor);
    learn(known, again);
    assert.deepEqual([...known].sort(), prefixesOf(...chunks));
    assert.ok(again.total >= chunks.length);
    await other.close();
  },
  'answers a cursor it does not know in full': async ({ a, session }) => {
    const pack = a.pack(a.data('1'));
    await session.putPack(pack.id, pack.bytes);
    for (const cursor of ['', 'nonsense', '9.9.9', 'null']) {
      const answer = await session.present(cursor);
      assert.ok(answer.full);
      assert.deepEqual(prefixes(answer), prefixesOf(a.data('1')));
    }
  },
  'refuses ids that are cut short': async ({ session }) => {
    await assert.rejects(session.ask(new Uint8Array(33)));
    await assert.rejects(session.locate(new Uint8Array(31)));
  },
  'says when a pack is not there, or not as long': async ({ a, session }) => {
    const pack = a.pack(a.data('1'));
    // Whether it was compacted away or never there, an implementation need not know
    await rejects(session.read(pack.id, 0, 10), 'pack_missing', 'chunk_moved');
    await session.putPack(pack.id, pack.bytes);
    assert.deepEqual(Buffer.from(await session.read(pack.id, 0, pack.bytes.length)), Buffer.from(pack.bytes));
    await rejects(session.read(pack.id, 1, pack.bytes.length), 'pack_missing');
  },
};

const PACKS: Checks = {
  'takes children before parents only': async ({ a, session }) => {
    const [file, other] = [a.data('file'), a.data('other')];
    const tree = a.tree({ file, other });
    const [data, late, trees] = [a.pack(file), a.pack(other), a.pack(tree)];
    assert.deepEqual(await missingFrom(session.putPack(trees.id, trees.bytes)), hexes(file, other));
    await session.putPack(data.id, data.bytes);
    assert.deepEqual(await missingFrom(session.putPack(trees.id, trees.bytes)), hexes(other));
    assert.deepEqual([...(await session.ask(idsOf(tree)))], [0]);
    assert.deepEqual(await session.locate(idsOf(tree)), [null]);
    await session.putPack(late.id, late.bytes);
    assert.equal(await session.putPack(trees.id, trees.bytes), 'stored');
    assert.deepEqual([...(await session.ask(idsOf(tree)))], [1]);
  },
  'lets a tree link earlier frames of its pack, not later ones': async ({ a, session }) => {
    const file = a.data('file');
    const tree = a.tree({ file });
    const wrong = a.pack(tree, file);
    assert.deepEqual(await missingFrom(session.putPack(wrong.id, wrong.bytes)), hexes(file));
    assert.deepEqual([...(await session.ask(idsOf(file)))], [0]);
    const right = a.pack(file, tree);
    assert.equal(await session.putPack(right.id, right.bytes), 'stored');
  },
  'stores nothing of a pack when one tree of it lacks something': async ({ a, session }) => {
    const [here, elsewhere] = [a.data('here'), a.data('elsewhere')];
    const pack = a.pack(here, a.tree({ here }), a.tree({ elsewhere }));
    assert.deepEqual(await missingFrom(session.putPack(pack.id, pack.bytes)), hexes(elsewhere));
    assert.deepEqual([...(await session.ask(idsOf(here, a.tree({ here }))))], [0, 0]);
  },
  'takes the same pack again, at once and later': async ({ a, endpoint, session }) => {
    const chunk = a.data('x');
    const pack = a.pack(chunk);
    const both = await Promise.all([1, 2].map(() => session.putPack(pack.id, pack.bytes)));
    assert.ok(both.includes('stored'));
    assert.equal(await session.putPack(pack.id, pack.bytes), 'exists');
    await session.close();
    const other = await endpoint.openSession('backup');
    assert.equal(await other.putPack(pack.id, pack.bytes), 'exists');
    assert.deepEqual([...(await other.ask(idsOf(chunk)))], [1]);
    await other.close();
  },
  'keeps a chunk that comes in two packs': async ({ a, session }) => {
    const chunk = a.data('x');
    for (const pack of [a.pack(chunk), a.pack(a.data('y'), chunk)]) await session.putPack(pack.id, pack.bytes);
    const [place] = await session.locate(idsOf(chunk));
    assert.deepEqual(await readFrame(session, place), Buffer.from(chunk.frame));
  },
  'refuses what is no whole pack of its name': async ({ a, session }) => {
    const chunk = a.data('x');
    const { id, bytes } = a.pack(chunk);
    const flipped = (at: number): Uint8Array => bytes.map((value, i) => (i === at ? value ^ 1 : value));
    const broken = [
      bytes.subarray(0, -1),
      new Uint8Array(0),
      flipped(0),
      flipped(40),
      flipped(bytes.length - 60),
      flipped(bytes.length - 1),
    ];
    for (const wrong of broken) {
      await rejects(session.putPack(id, wrong), 'pack_invalid', 'format_invalid');
      await rejects(session.putPack(sha256(wrong), wrong), 'pack_invalid', 'format_invalid', 'unknown_version');
    }
    const longer = Buffer.concat([bytes, new Uint8Array(1)]);
    await rejects(session.putPack(sha256(longer), longer), 'pack_invalid', 'format_invalid');
    assert.deepEqual([...(await session.ask(idsOf(chunk)))], [0]);
  },
  'refuses a pack of another archive': async ({ session }) => {
    const foreign = await makeArchiveFixture();
    const pack = foreign.pack(foreign.data('x'));
    await rejects(session.putPack(pack.id, pack.bytes), 'wrong_archive');
  },
};

const SNAPSHOTS: Checks = {
  'takes a snapshot only with its root': async ({ a, endpoint, session }) => {
    const root = a.tree({ file: a.data('x') });
    const { id, object } = await a.snapshot(root);
    assert.deepEqual(await missingFrom(session.commit(object)), hexes(root));
    assert.deepEqual(await endpoint.snapshots(), []);
    const pack = a.pack(...a.below(root));
    await session.putPack(pack.id, pack.bytes);
    await session.commit(object);
    const [stored, ...more] = await endpoint.snapshots();
    assert.deepEqual(more, []);
    assert.ok(stored?.object && equalBytes(stored.object, object) && equalBytes(stored.id, id));
  },
  'takes the last pack and the snapshot in one': async ({ a, endpoint, session }) => {
    const root = a.tree({ file: a.data('x') });
    const { object } = await a.snapshot(root);
    const [lacking, whole] = [a.pack(root), a.pack(...a.below(root))];
    await missingFrom(session.commit(object, undefined, lacking));
    assert.deepEqual(await endpoint.snapshots(), []);
    await session.commit(object, undefined, whole);
    assert.equal((await endpoint.snapshots()).length, 1);
    const reader = await endpoint.openSession('restore');
    const [place] = await reader.locate(idsOf(root));
    assert.deepEqual(await readFrame(reader, place), Buffer.from(root.frame));
    await reader.close();
  },
  'gives the same answer to the same snapshot, in this session and the next': async ({ a, endpoint, session }) => {
    const root = a.tree({ file: a.data('x') });
    const { object } = await a.snapshot(root);
    const first = await session.commit(object, undefined, a.pack(...a.below(root)));
    assert.deepEqual(await session.commit(object), first);
    const other = await endpoint.openSession('backup');
    assert.deepEqual(await other.commit(object), first);
    const [stored, ...more] = await endpoint.snapshots();
    assert.deepEqual([stored?.receipt, more], [first.receipt, []]);
  },
  'keeps every snapshot of a chain': async ({ a, endpoint }) => {
    const objects: string[] = [];
    let parent: Uint8Array | null = null;
    for (let sequence = 1; sequence <= 4; sequence++) {
      const root = a.tree({ file: a.data(`${sequence}`) });
      const snapshot = await a.snapshot(root, { sequence, parent, partial: sequence === 2 });
      const session = await endpoint.openSession('backup');
      await session.commit(snapshot.object, undefined, a.pack(...a.below(root)));
      parent = snapshot.id;
      objects.push(toHex(snapshot.object));
    }
    assert.deepEqual((await endpoint.snapshots()).map(({ object }) => object && toHex(object)).sort(), objects.sort());
  },
  'refuses what is no snapshot of this archive': async ({ a, endpoint, session }) => {
    const root = a.tree({});
    const pack = a.pack(root);
    await session.putPack(pack.id, pack.bytes);
    const { object } = await a.snapshot(root);
    for (const wrong of [
      new Uint8Array(0),
      Uint8Array.of(0x84),
      object.subarray(0, -1),
      Buffer.concat([object, Uint8Array.of(0)]),
    ])
      await rejects(session.commit(wrong), 'format_invalid');
    const otherDescription = object.slice();
    otherDescription[otherDescription.length - 1] = (otherDescription.at(-1) as number) ^ 1;
    await rejects(session.commit(otherDescription), 'format_invalid');
    const foreign = await makeArchiveFixture();
    await rejects(session.commit((await foreign.snapshot(root)).object), 'wrong_archive');
    assert.deepEqual(await endpoint.snapshots(), []);
  },
};

const SESSIONS: Checks = {
  'answers nothing in a session that was closed': async ({ a, session }) => {
    const pack = a.pack(a.data('x'));
    const { object } = await a.snapshot(a.tree({}));
    await session.close();
    await session.close();
    await everythingEnded(session, pack, object);
  },
  'answers nothing in a session that has committed': async ({ a, session }) => {
    const root = a.tree({});
    const { object } = await a.snapshot(root);
    await session.commit(object, undefined, a.pack(root));
    const other = await a.snapshot(root, { sequence: 2, parent: sha256(object) });
    await everythingEnded(session, a.pack(a.data('x')), other.object);
    await session.close();
  },
  'gives each session a name of its own': async ({ endpoint, session }) => {
    const other = await endpoint.openSession('check');
    assert.notEqual(other.id, session.id);
    assert.equal(other.epoch, session.epoch);
    await session.close();
    await other.present(null);
    await other.close();
  },
  'keeps what a closed session stored': async ({ a, endpoint, session }) => {
    const chunk = a.data('x');
    const pack = a.pack(chunk);
    await session.putPack(pack.id, pack.bytes);
    await session.close();
    const other = await endpoint.openSession('backup');
    assert.deepEqual([...(await other.ask(idsOf(chunk)))], [1]);
    await other.close();
  },
  "stops with the signal's reason": async ({ a, endpoint, session }) => {
    const reason = new Error('enough');
    const signal = AbortSignal.abort(reason);
    const pack = a.pack(a.data('x'));
    await assert.rejects(endpoint.openSession('backup', signal), reason);
    await assert.rejects(session.putPack(pack.id, pack.bytes, signal), reason);
    await assert.rejects(session.locate(idsOf(a.data('x')), signal), reason);
    assert.deepEqual([...(await session.ask(idsOf(a.data('x'))))], [0]);
  },
};

const LOSS: Checks = {
  'takes a lost chunk, and the trees that reach it, for present no more': async ({ a, session }) => {
    const [lost, safe] = [a.data('lost'), a.data('safe')];
    const [below, beside] = [a.tree({ lost }), a.tree({ safe })];
    const root = a.tree({ below, beside });
    const pack = a.pack(...a.below(root));
    await session.putPack(pack.id, pack.bytes);
    const before = await session.present(null);
    await session.reportLost(idsOf(lost, a.data('never stored')));
    await answers(session, idsOf(lost, below, root, safe, beside), [0, 0, 0, 1, 1]);
    const known = new Set(prefixes(before));
    learn(known, await session.present(before.cursor));
    assert.deepEqual([...known].sort(), prefixesOf(safe, beside));
    const [place] = await session.locate(idsOf(beside));
    assert.deepEqual(await readFrame(session, place), Buffer.from(beside.frame));
  },
  'refuses a tree that links what was lost, until it is stored again': async ({ a, session }) => {
    const lost = a.data('lost');
    const [old, fresh] = [a.tree({ lost }), a.tree({ again: lost })];
    const first = a.pack(lost, old);
    await session.putPack(first.id, first.bytes);
    await session.reportLost(idsOf(lost));
    await answers(session, idsOf(lost, old), [0, 0]);
    const trees = a.pack(fresh);
    assert.deepEqual(await missingFrom(session.putPack(trees.id, trees.bytes)), hexes(lost));
    const { object } = await a.snapshot(old);
    assert.deepEqual(await missingFrom(session.commit(object)), hexes(old));
    const again = a.pack(a.data('lost'), a.data('more'));
    await session.putPack(again.id, again.bytes);
    await answers(session, idsOf(lost, old), [1, 1]);
    const [place] = await session.locate(idsOf(lost));
    assert.ok(place && equalBytes(place.packId, again.id));
    assert.equal(await session.putPack(trees.id, trees.bytes), 'stored');
    await session.commit(object);
  },
  'takes a lost chunk for present when its very pack is sent again': async ({ a, session }) => {
    const lost = a.data('lost');
    const tree = a.tree({ lost });
    const pack = a.pack(lost, tree);
    await session.putPack(pack.id, pack.bytes);
    await session.reportLost(idsOf(lost));
    await session.putPack(pack.id, pack.bytes);
    await answers(session, idsOf(lost, tree), [1, 1]);
  },
  'finds what became present again': async ({ a, session }) => {
    const [lost, safe] = [a.data('lost'), a.data('safe')];
    const pack = a.pack(lost, safe);
    await session.putPack(pack.id, pack.bytes);
    const known = new Set(prefixes(await session.present(null)));
    await session.reportLost(idsOf(lost));
    const hurt = await session.present(null);
    learn(known, hurt);
    const again = a.pack(lost);
    await session.putPack(again.id, again.bytes);
    learn(known, await session.present(hurt.cursor));
    assert.deepEqual([...known].sort(), prefixesOf(lost, safe));
  },
};

const OBJECTS: Checks = {
  'keeps device lists in the order of their counters, each for good': async ({ a, endpoint }) => {
    const lists = await Promise.all([1, 2, 10].map((counter) => listOf(a, counter, 'laptop')));
    for (const [i, counter] of [1, 2, 10].entries()) await endpoint.putDeviceList(counter, lists[i] as Uint8Array);
    await endpoint.putDeviceList(2, lists[1] as Uint8Array);
    await rejects(endpoint.putDeviceList(2, await listOf(a, 2, 'other')), 'object_conflict');
    assert.deepEqual(
      (await endpoint.deviceLists()).map(({ name, bytes }) => [name, toHex(bytes)]),
      lists.map((list, i) => [['0000000001', '0000000002', '0000000010'][i], toHex(list)]),
    );
  },
  'keeps key files, and lets nobody replace one': async ({ endpoint }) => {
    const [one, other] = await Promise.all([sealedFile(), sealedFile()]);
    const names = ['00002-', '00001-'].map((generation) => `${generation}${'ab'.repeat(16)}.age`);
    for (const name of names) await endpoint.putKeyFile(name, one);
    await endpoint.putKeyFile(names[0] as string, one);
    await rejects(endpoint.putKeyFile(names[0] as string, other), 'object_conflict');
    const found = (await endpoint.keyFiles()).map(({ name, bytes }) => [name, toHex(bytes)]);
    assert.deepEqual(found, [
      [names[1], toHex(one)],
      [names[0], toHex(one)],
    ]);
  },
  'keeps identity wraps, each new one beside those before': async ({ endpoint }) => {
    const [one, other, password] = await Promise.all([sealedFile(), sealedFile(), passwordFile()]);
    const name = `${'ab'.repeat(16)}.age`;
    for (const bytes of [one, other]) await endpoint.putIdentityWrap(name, bytes);
    await endpoint.putIdentityWrap('passphrase.age', password);
    const found = (await endpoint.identityWraps()).map((wrap) => [wrap.name, toHex(wrap.bytes)]);
    assert.deepEqual(found, [
      [name.replace('.age', '-00002.age'), toHex(other)],
      [name, toHex(one)],
      ['passphrase.age', toHex(password)],
    ]);
  },
  'refuses names that the store does not have': async ({ endpoint }) => {
    const bytes = await sealedFile();
    for (const name of ['../x.age', 'x', '', '00001-AB.age', 'passphrase.age/x']) {
      await assert.rejects(endpoint.putKeyFile(name, bytes));
      await assert.rejects(endpoint.putIdentityWrap(name, bytes));
    }
    await assert.rejects(endpoint.putDeviceList(-1, bytes));
    assert.deepEqual(
      [await endpoint.keyFiles(), await endpoint.identityWraps(), await endpoint.deviceLists()],
      [[], [], []],
    );
  },
};

/** Trees over trees in packs of any composition and order: the endpoint takes exactly what the rule allows. */
async function childrenFirst(open: OpenEndpoint): Promise<void> {
  const links = fc.array(fc.array(fc.nat(11), { maxLength: 3 }), { minLength: 12, maxLength: 12 });
  const packs = fc.array(fc.array(fc.nat(11), { minLength: 1, maxLength: 6 }), { minLength: 1, maxLength: 12 });
  await fc.assert(
    fc.asyncProperty(links, packs, (graph, order) =>
      withScene(open, async ({ a, session }) => {
        const chunks = chunksOf(a, graph);
        const held = new Set<FixtureChunk>();
        for (const numbers of order) {
          const members = [...new Set(numbers)].map((n) => chunks[n] as FixtureChunk);
          const expected = lackingIn(members, held);
          const pack = a.pack(...members);
          if (expected.length > 0)
            assert.deepEqual(await missingFrom(session.putPack(pack.id, pack.bytes)), hexes(...expected));
          else await session.putPack(pack.id, pack.bytes);
          if (expected.length === 0) for (const member of members) held.add(member);
        }
        assert.deepEqual(
          [...(await session.ask(idsOf(...chunks)))],
          chunks.map((chunk) => (held.has(chunk) ? 1 : 0)),
        );
      }),
    ),
    { numRuns: 15 },
  );
}

/** Chunk n links only lower ones; without links it is data. */
function chunksOf(a: ArchiveFixture, graph: readonly (readonly number[])[]): FixtureChunk[] {
  const chunks: FixtureChunk[] = [];
  for (const [n, links] of graph.entries()) {
    const children = [...new Set(links.map((link) => chunks[link]).filter((chunk) => chunk !== undefined))];
    const content = Object.fromEntries(children.map((chunk, i) => [`${n}-${i}`, chunk]));
    chunks.push(children.length === 0 ? a.data(`${n}`) : a.tree(content));
  }
  return chunks;
}

function lackingIn(members: readonly FixtureChunk[], held: ReadonlySet<FixtureChunk>): FixtureChunk[] {
  const earlier = new Set<FixtureChunk>();
  const lacking = new Set<FixtureChunk>();
  for (const member of members) {
    for (const child of member.children) if (!held.has(child) && !earlier.has(child)) lacking.add(child);
    earlier.add(member);
  }
  return [...lacking];
}

async function withScene(open: OpenEndpoint, use: (scene: Scene) => Promise<void>): Promise<void> {
  const a = await makeArchiveFixture();
  const { endpoint, close } = await open(a);
  try {
    const session = await endpoint.openSession('backup');
    await use({ a, endpoint, session });
    await session.close();
  } finally {
    await close();
  }
}

/** What a loss reaches may be found by work beside the report: it is asked again until it was. */
async function answers(session: ArchiveSession, ids: Uint8Array, expected: readonly number[]): Promise<void> {
  let found: number[] = [];
  for (let tries = 0; tries < MOST_QUESTIONS; tries++) {
    found = [...(await session.ask(ids))];
    if (found.join() === expected.join()) return;
  }
  assert.deepEqual(found, expected);
}

const MOST_QUESTIONS = 1000;

const listOf = (a: ArchiveFixture, counter: number, name: string): Promise<Uint8Array> =>
  signDeviceList(
    { ...a.devices, counter, devices: a.devices.devices.map((device) => ({ ...device, recipient: RECIPIENT, name })) },
    a.deviceKey,
  );

const RECIPIENT = await identityToRecipient(await generateHybridIdentity());
const sealedFile = (): Promise<Uint8Array> => sealToRecipient(Uint8Array.of(1), RECIPIENT);
const passwordFile = (): Promise<Uint8Array> => sealToPassphrase(Uint8Array.of(1), 'a password');

async function everythingEnded(
  session: ArchiveSession,
  pack: { readonly id: Uint8Array; readonly bytes: Uint8Array },
  object: Uint8Array,
): Promise<void> {
  const ids = new Uint8Array(32);
  await rejects(session.present(null), 'session_ended');
  await rejects(session.ask(ids), 'session_ended');
  await rejects(session.putPack(pack.id, pack.bytes), 'session_ended');
  await rejects(session.commit(object), 'session_ended');
  await rejects(session.locate(ids), 'session_ended');
  await rejects(session.read(pack.id, 0, 1), 'session_ended');
  await rejects(session.reportLost(ids), 'session_ended');
}

async function readFrame(session: ArchiveSession, place: Location | null | undefined): Promise<Buffer> {
  assert.ok(place, 'it has no location');
  return Buffer.from(await session.read(place.packId, place.offset, place.length));
}

/** The ids that `links_missing` names, as sorted hex. */
async function missingFrom(call: Promise<unknown>): Promise<string[]> {
  try {
    await call;
  } catch (error) {
    assert.ok(error instanceof ArchiveError && error.code === 'links_missing', String(error));
    return (error.data.ids ?? []).map((id) => toHex(id)).sort();
  }
  return assert.fail('it was taken although links are missing');
}

async function rejects(call: Promise<unknown>, ...codes: readonly string[]): Promise<void> {
  await assert.rejects(call, (error) => {
    assert.ok(error instanceof ArchiveError, String(error));
    assert.ok(codes.includes(error.code), `${error.code} instead of ${codes.join(' or ')}`);
    return true;
  });
}

const hexes = (...chunks: readonly FixtureChunk[]): string[] => chunks.map(({ id }) => toHex(id)).sort();
const prefixesOf = (...chunks: readonly FixtureChunk[]): string[] =>
  hexes(...chunks).map((id) => id.slice(0, 2 * PREFIX_LENGTH));

function split(bytes: Uint8Array): string[] {
  const found = Array.from({ length: bytes.length / PREFIX_LENGTH }, (_, i) =>
    bytes.subarray(i * PREFIX_LENGTH, (i + 1) * PREFIX_LENGTH),
  );
  return found.map(toHex);
}

const prefixes = ({ prefixes: bytes }: PresentIds): string[] => [...new Set(split(bytes))].sort();

/** What a caller does with an answer. */
function learn(known: Set<string>, { full, prefixes: added, removed }: PresentIds): void {
  if (full) known.clear();
  for (const prefix of split(removed)) known.delete(prefix);
  for (const prefix of split(added)) known.add(prefix);
}
