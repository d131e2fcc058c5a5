/** Archives that the program wrote, read by the second reader: what both mean by the same bytes is what docs/format.md says. */
import assert from 'node:assert/strict';
import { createPrivateKey, type KeyObject, randomFillSync, sign } from 'node:crypto';
import { appendFileSync, lstatSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { backup } from '@holdfast/archive/backup/backup.ts';
import { openLocalEndpoint } from '@holdfast/archive/endpoint/local/local-endpoint.ts';
import { generateArchiveKeys, nextGeneration } from '@holdfast/archive/keys/archive-keys.ts';
import { emptyDeviceList, signDeviceList, withDevice } from '@holdfast/archive/keys/device-list.ts';
import { formatIdentity, generateIdentity } from '@holdfast/archive/keys/identity.ts';
import { sealKeyFiles } from '@holdfast/archive/keys/key-file.ts';
import { wrapIdentity } from '@holdfast/archive/keys/wrap.ts';
import { openDiskStore } from '@holdfast/archive/store/disk.ts';
import { Encrypter, generateX25519Identity, identityToRecipient } from 'age-encryption';
import { copyStore, flipped, packName, tableOffset, withLinks, withTrailer } from './bending.ts';
import { decodeCbor } from './cbor.ts';
import { cut, gearTable, isBorder } from './cutting.ts';
import {
  changeTree,
  type DiskTree,
  type Facts,
  makeMany,
  makeTree,
  noise,
  scanTree,
  setAttribute,
  severalOf,
} from './disk-tree.ts';
import { type Chunk, KIND } from './frame.ts';
import { type Identity, nameOfRecipient, parseIdentity } from './identity.ts';
import { parseListBody, readList } from './list.ts';
import {
  type Archive,
  damagedPacks,
  identityFromDevice,
  identityFromPassphrase,
  type ListedRow,
  listSnapshot,
  openArchive,
} from './reader.ts';
import { restoreSnapshot } from './restore.ts';
import { storedArchive } from './store-point.ts';
import { parseTreeBody, readDirectory, readGone } from './tree.ts';
import type { FileEntry, Segment, TreeEntry } from './tree-entry.ts';

const PASSPHRASE = 'Grüße vom zweiten Leser';
/** So small that files of 131,072 bytes have hundreds of segments. */
const SMALL_CUTS = { min: 64, normal: 256, max: 1024, strictBits: 10, looseBits: 6 };
const SMALL_PARTS = { items: 4, most: 12, bytes: 2 * 1024 * 1024, mask: 0x3 };
const MICROSECONDS = 1e6;
const LINUX_ONLY = { skip: process.platform !== 'linux' && 'other systems do not take such names' };

type ProgramIdentity = Awaited<ReturnType<typeof generateIdentity>>;
type ProgramKeys = ReturnType<typeof generateArchiveKeys>;

interface Written {
  readonly storePoint: string;
  readonly archiveId: string;
  readonly keys: ProgramKeys;
  readonly user: ProgramIdentity;
  readonly device: ProgramIdentity;
}

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');

function put(root: string, name: string, bytes: Uint8Array): void {
  mkdirSync(dirname(join(root, name)), { recursive: true });
  writeFileSync(join(root, name), bytes);
}

async function putKeys({ keys, user, device, storePoint, archiveId }: Written): Promise<void> {
  const root = join(storePoint, 'archives', archiveId);
  for (const { generation, bytes } of await sealKeyFiles(keys, user.recipient, user.signing, Date.now())) {
    put(root, `keys/${String(generation).padStart(5, '0')}-${nameOfRecipient(user.recipient)}.age`, bytes);
  }
  const line = { deviceId: device.signing.publicKey.slice(0, 16), publicKey: device.signing.publicKey };
  const list = withDevice(emptyDeviceList(keys.archiveId), {
    ...line,
    recipient: device.recipient,
    name: 'Laptop',
    added: 1,
  });
  put(root, `devices/${String(list.counter).padStart(10, '0')}`, await signDeviceList(list, user.signing));
}

async function putWraps({ user, device, storePoint, archiveId }: Written): Promise<void> {
  const root = join(storePoint, 'archives', archiveId, 'identities');
  put(root, 'passphrase.age', await wrapIdentity(user, { passphrase: 'the one before' }));
  put(root, 'passphrase-00002.age', await wrapIdentity(user, { passphrase: PASSPHRASE }));
  const name = nameOfRecipient(device.recipient);
  put(root, `${name}.age`, await wrapIdentity(user, { recipient: device.recipient }));
  put(root, `${name}-00002.age`, new TextEncoder().encode('junk from a thief of a credential'));
}

const signingKey = (seed: Uint8Array): KeyObject =>
  createPrivateKey({
    key: Buffer.concat([Buffer.from('302e020100300506032b657004220420', 'hex'), seed]),
    format: 'der',
    type: 'pkcs8',
  });

/** One run of the program; the id of the snapshot. */
async function runBackup({ storePoint, keys, device }: Written, root: string, more: object = {}): Promise<string> {
  const store = await openDiskStore(storePoint, { create: true });
  const result = await backup({
    endpoint: await openLocalEndpoint({ store, archiveId: keys.archiveId }),
    keys,
    sign: (message) => sign(null, message, signingKey(device.signing.seed)),
    deviceId: device.signing.publicKey.slice(0, 16),
    deviceName: 'Laptop',
    setId: Buffer.alloc(16, 1),
    setName: 'Home',
    destinationId: Buffer.alloc(16, 2),
    agentVersion: '4.1.5',
    roots: [Buffer.from(root)],
    cacheDir: `${storePoint}-cache`,
    workers: 1,
    now: Date.now,
    ...more,
  });
  assert.equal(result.kind, 'committed');
  return hex(result.snapshotId);
}

async function newArchive(storePoint: string, params: Partial<ProgramKeys> = {}): Promise<Written> {
  const keys = { ...generateArchiveKeys(randomFillSync), ...params };
  const [user, device] = [await generateIdentity(randomFillSync), await generateIdentity(randomFillSync)];
  return { storePoint, archiveId: hex(keys.archiveId), keys, user, device };
}

const identityOf = ({ user }: Written): Promise<Identity> => parseIdentity(formatIdentity(user));

async function open(written: Written): Promise<Archive> {
  return openArchive(storedArchive(written.storePoint, written.archiveId), await identityOf(written));
}

function factsOf({ entry, hash }: ListedRow): Facts {
  return {
    type: entry.type,
    mode: entry.mode,
    owner: [entry.uid, entry.gid],
    mtime: [entry.mtime.sec, entry.mtime.nsec],
    size: entry.type === 'file' ? entry.size : undefined,
    hash,
    target: entry.type === 'symlink' ? entry.target.toString('latin1') : undefined,
  };
}

/** The rows below `root`, as a scan of the disk would tell them. */
function asDiskTree(rows: readonly ListedRow[], root: string): DiskTree {
  const facts = new Map<string, Facts>();
  const groups = new Map<number, string[]>();
  for (const row of rows) {
    const path = `/${row.path.toString('latin1')}`;
    if (!path.startsWith(`${root}/`)) continue;
    const below = path.slice(root.length);
    facts.set(below, factsOf(row));
    if (row.entry.group !== undefined) groups.getOrInsertComputed(row.entry.group, () => []).push(below);
  }
  return { facts, groups: severalOf(groups.values()) };
}

const sorted = ({ facts, groups }: DiskTree): unknown => [[...facts].sort(([a], [b]) => (a < b ? -1 : 1)), groups];

function assertSameTree(actual: DiskTree, expected: DiskTree): void {
  assert.deepEqual([...actual.facts.keys()].sort(), [...expected.facts.keys()].sort());
  assert.deepEqual(sorted(actual), sorted(expected));
}

/** Node sets times as floating-point seconds. */
function withRoughTimes({ facts, groups }: DiskTree): DiskTree {
  const rough = ({ mtime: [sec, nsec], ...rest }: Facts): Facts => ({
    ...rest,
    mtime: [Math.round((sec + nsec / 1e9) * MICROSECONDS), 0],
  });
  return { facts: new Map([...facts].map(([path, fact]) => [path, rough(fact)])), groups };
}

const canRestore = ({ type }: Facts): boolean => ['file', 'directory', 'symlink'].includes(type);

function entryAt(archive: Archive, root: Buffer, path: string): TreeEntry {
  const [first, ...rest] = path.split('/').filter((name) => name !== '');
  const entry = readDirectory(archive.chunks, root).entries.find(({ name }) => name.toString() === first);
  assert.ok(entry, path);
  if (rest.length === 0) return entry;
  assert.equal(entry.type, 'directory');
  return entryAt(archive, (entry as TreeEntry & { tree: Buffer }).tree, rest.join('/'));
}

/** Levels below a directory's top chunk, itself included. */
function depthOf(archive: Archive, chunk: Chunk, top: 'tree' | 'gone'): number {
  const { children } = parseTreeBody(chunk, top);
  return 1 + Math.max(0, ...children.map(({ id }) => depthOf(archive, archive.chunks.open(id, [KIND.part]), top)));
}

describe('an archive of the program in the second reader', LINUX_ONLY, () => {
  let folder = '';
  let source = '';
  let written: Written;
  const snapshots: { id: string; disk: DiskTree }[] = [];

  before(async () => {
    folder = mkdtempSync(join(tmpdir(), 'second-reader-'));
    source = join(folder, 'source');
    makeTree(source, 2500);
    written = await newArchive(join(folder, 'store'));
    snapshots.push({ id: await runBackup(written, source), disk: scanTree(source) });
    changeTree(source);
    written = { ...written, keys: nextGeneration(written.keys, randomFillSync) };
    snapshots.push({ id: await runBackup(written, source), disk: scanTree(source) });
    await putKeys(written);
    await putWraps(written);
  });
  after(() => rmSync(folder, { recursive: true, force: true }));

  const copy = () => copyStore(written.storePoint, written.archiveId, join(folder, 'bent'));

  it('lists every snapshot as the disk was', async () => {
    const archive = await open(written);
    assert.deepEqual(archive.refusedPacks, new Map());
    assert.deepEqual([...archive.keys.contentKeys.keys()], [1, 2]);
    assert.deepEqual([...archive.snapshotIds].sort(), snapshots.map(({ id }) => id).sort());
    snapshots.forEach(({ id, disk }, at) => {
      const snapshot = archive.snapshot(id);
      assert.equal(snapshot.envelope.sequence, at + 1);
      assert.equal(snapshot.description.setName, 'Home');
      assert.deepEqual(snapshot.description.paths, [Buffer.from(source)]);
      assertSameTree(asDiskTree(listSnapshot(archive, snapshot), source), disk);
    });
  });

  it('opens with the passphrase, and with a device key', async () => {
    const stored = storedArchive(written.storePoint, written.archiveId);
    const identity = await identityOf(written);
    assert.deepEqual(await identityFromPassphrase(stored, PASSPHRASE.normalize('NFD')), identity);
    const { recipient, ageIdentity } = written.device;
    assert.deepEqual(await identityFromDevice(stored, recipient, ageIdentity), identity);
    await assert.rejects(identityFromPassphrase(stored, 'another'), { reason: 'wrong_recipient' });
  });

  it('restores a snapshot as the disk was', async () => {
    const archive = await open(written);
    const { id, disk } = snapshots[0]!;
    const target = join(folder, 'restored');
    const { notMade } = restoreSnapshot(archive, archive.snapshot(id), target);
    assert.deepEqual(
      notMade.map(({ entry }) => entry.type),
      ['fifo'],
    );
    const facts = new Map([...disk.facts].filter(([, fact]) => canRestore(fact)));
    const restored = scanTree(`${target}${source}`);
    assertSameTree(withRoughTimes(restored), withRoughTimes({ ...disk, facts }));
    const holes = ['sparse/only a hole', 'sparse/small', 'sparse/large'];
    for (const path of holes) {
      const { size, blocks } = lstatSync(`${target}${source}/${path}`);
      assert.ok(blocks * 512 < size / 2, path);
    }
  });

  it('finds what was deleted, and nothing of it unless asked', async () => {
    const archive = await open(written);
    const rows = listSnapshot(archive, archive.snapshot(snapshots[1]!.id), { gone: true });
    const gone = rows.filter((row) => row.gone);
    const paths = gone.map(({ path }) => `/${path.toString()}`.slice(source.length + 1));
    const going = ['going', 'going/entry 0', 'going/entry 1', 'going/entry 2'];
    assert.deepEqual(paths.sort(), [...going, 'links/two', 'many/entry 8', 'sizes/5000000', 'sizes/text']);
    for (const row of gone) {
      const below = `/${row.path.toString()}`.slice(source.length);
      assert.equal(row.hash, snapshots[0]!.disk.facts.get(below)!.hash, below);
      assert.equal(row.entry.deletedMs !== undefined, !below.startsWith('/going/'), below);
    }
    const live = {
      facts: asDiskTree(
        rows.filter((row) => !row.gone),
        source,
      ).facts,
      groups: [],
    };
    assertSameTree(live, { ...snapshots[1]!.disk, groups: [] });
  });

  it('restores what was deleted where its name is free', async () => {
    const archive = await open(written);
    const target = join(folder, 'restored-gone');
    const { notMade } = restoreSnapshot(archive, archive.snapshot(snapshots[1]!.id), target, { gone: true });
    const left = notMade.map(({ path }) => `/${path.toString()}`.slice(source.length + 1));
    assert.deepEqual(left.sort(), ['sizes/text', 'special/fifo']);
    const restored = scanTree(`${target}${source}`).facts;
    for (const path of ['/going/entry 1', '/many/entry 8', '/sizes/5000000']) {
      assert.equal(restored.get(path)?.hash, snapshots[0]!.disk.facts.get(path)!.hash, path);
    }
  });

  it('is cut into parts where the format says', async () => {
    const archive = await open(written);
    const many = entryAt(archive, archive.snapshot(snapshots[0]!.id).envelope.root, `${source}/many`);
    assert.ok(many.type === 'directory');
    const { children } = parseTreeBody(archive.chunks.open(many.tree, [KIND.tree]), 'tree');
    const parts = children.map(({ id }) => parseTreeBody(archive.chunks.open(id, [KIND.part]), 'tree').entries!);
    const borders = parts.flat().filter(({ name }) => isBorder(archive.keys, 'holdfast part', 0, name));
    const lastNames = parts.map((entries) => entries.at(-1)!.name.toString());
    assert.deepEqual(lastNames, [...new Set([...borders, parts.at(-1)!.at(-1)!].map(({ name }) => name.toString()))]);
  });

  it('is cut into pieces where the format says', async () => {
    const archive = await open(written);
    const { root } = archive.snapshot(snapshots[0]!.id).envelope;
    const gear = gearTable(archive.keys.chunkerKey);
    for (const size of [131_072, 262_145, 5_000_000]) {
      const file = entryAt(archive, root, `${source}/sizes/${size}`) as FileEntry;
      const lengths = (file.content as readonly Segment[]).map(({ length }) => length);
      assert.deepEqual(lengths, cut(noise(`size ${size}`, size), gear, archive.keys.data));
    }
  });

  it('is refused where a byte of a frame was flipped', async () => {
    const bent = copy();
    const whole = await openArchive(bent.stored, await identityOf(written));
    const file = entryAt(whole, whole.snapshot(snapshots[0]!.id).envelope.root, `${source}/sizes/131072`) as FileEntry;
    const [segment] = file.content as readonly Segment[];
    const { pack, frame } = bent.find(({ id }) => id.equals(segment!.id));
    bent.change(packName(pack), (bytes) => flipped(bytes, frame.at + frame.entry.encoded.length + 20));
    assert.deepEqual(damagedPacks(bent.stored), [pack]);
    const archive = await openArchive(bent.stored, await identityOf(written));
    const snapshot = archive.snapshot(snapshots[0]!.id);
    assert.throws(() => listSnapshot(archive, snapshot), { reason: 'bad_seal' });
    assert.throws(() => restoreSnapshot(archive, snapshot, join(folder, 'never')), { reason: 'bad_seal' });
  });

  it('is refused where links were swapped', async () => {
    const swapped = copy();
    const { pack, frame } = swapped.find(({ kind, links }) => kind === KIND.tree && links.length > 1);
    swapped.replacePack(pack, (bytes) => withLinks(bytes, frame, frame.entry.links.slice(-2).reverse()));
    const refused = await openArchive(swapped.stored, await identityOf(written));
    assert.deepEqual(
      [...refused.refusedPacks.values()].map(({ reason }) => reason),
      ['malformed'],
    );
    const replaced = copy();
    replaced.replacePack(pack, (bytes) => withLinks(bytes, frame, [flipped(frame.entry.links.at(-1)!, -1)]));
    const archive = await openArchive(replaced.stored, await identityOf(written));
    assert.deepEqual(archive.refusedPacks, new Map());
    assert.throws(() => archive.chunks.open(frame.entry.id, [KIND.tree]), { reason: 'bad_seal' });
  });

  it('is refused where a table lies, and read where it is only damaged', async () => {
    const lying = copy();
    const { pack, frame } = lying.find(({ kind }) => kind === KIND.data);
    const identity = await identityOf(written);
    const bendTable = (bytes: Buffer) => flipped(bytes, tableOffset(bytes, frame.entry) + 10);
    lying.replacePack(pack, (bytes) => withTrailer(bendTable(bytes)));
    const refused = await openArchive(lying.stored, identity);
    assert.deepEqual(
      [...refused.refusedPacks.values()].map(({ reason }) => reason),
      ['bad_pack'],
    );
    assert.throws(() => listSnapshot(refused, refused.snapshot(snapshots[0]!.id)), { reason: 'missing' });

    const damaged = copy();
    damaged.change(packName(pack), bendTable);
    const archive = await openArchive(damaged.stored, identity);
    assertSameTree(asDiskTree(listSnapshot(archive, archive.snapshot(snapshots[0]!.id)), source), snapshots[0]!.disk);
  });

  it('is refused with a key file that a stranger signed, or that has another stanza', async () => {
    const bent = copy();
    const identity = await identityOf(written);
    const stranger = await generateIdentity(randomFillSync);
    const name = `keys/00001-${nameOfRecipient(identity.recipient)}.age`;
    const [forged] = await sealKeyFiles(written.keys, identity.recipient, stranger.signing, 1);
    bent.change(name, () => Buffer.from(forged!.bytes));
    await assert.rejects(openArchive(bent.stored, identity), { reason: 'untrusted_signer' });
    await openArchive(bent.stored, identity, { pinned: [Buffer.from(stranger.signing.publicKey)] });

    const encrypter = new Encrypter();
    encrypter.addRecipient(identity.recipient);
    encrypter.addRecipient(await identityToRecipient(await generateX25519Identity()));
    const classical = Buffer.from(await encrypter.encrypt('what is inside is never looked at'));
    bent.change(name, () => classical);
    await assert.rejects(openArchive(bent.stored, identity), { reason: 'wrong_recipient' });

    const two = new Encrypter();
    for (const { recipient } of [identity, stranger]) two.addRecipient(recipient);
    const forTwo = Buffer.from(await two.encrypt('what is inside is never looked at'));
    bent.change(name, () => forTwo);
    await assert.rejects(openArchive(bent.stored, identity), { reason: 'wrong_recipient' });
  });

  it('is refused with a snapshot whose signature, MAC or description is another', async () => {
    const bent = copy();
    const archive = await openArchive(bent.stored, await identityOf(written));
    const { id } = snapshots[0]!;
    const object = bent.stored.read('snapshots', id);
    const [envelope, signature, mac, description] = (decodeCbor(object) as Buffer[]).map((part) =>
      object.indexOf(part),
    );
    const refusals = {
      [envelope!]: 'bad_signature',
      [signature!]: 'bad_signature',
      [mac!]: 'bad_mac',
      [description!]: 'bad_mac',
    };
    for (const [at, reason] of Object.entries(refusals)) {
      const offset = Number(at) === envelope ? signature! - 3 : Number(at);
      bent.change(`snapshots/${id}`, () => flipped(object, offset));
      assert.throws(() => archive.snapshot(id), { reason }, `byte ${at}`);
    }
    bent.change(`snapshots/${id}`, () => bent.stored.read('snapshots', snapshots[1]!.id));
    assert.throws(() => archive.snapshot(id), { reason: 'malformed' });
  });

  it('is refused with a device list that the user did not sign, or that is older than one seen', async () => {
    const bent = copy();
    const identity = await identityOf(written);
    const stranger = await generateIdentity(randomFillSync);
    await assert.rejects(openArchive(bent.stored, identity, { deviceCounter: 2 }), { reason: 'malformed' });
    const empty = { ...emptyDeviceList(written.keys.archiveId), counter: 7 };
    const foreign = Buffer.from(await signDeviceList(empty, stranger.signing));
    put(bent.root, 'devices/0000000007', foreign);
    assert.equal((await openArchive(bent.stored, identity)).devices.counter, 1);
    bent.change('devices/0000000001', () => foreign);
    await assert.rejects(openArchive(bent.stored, identity), { reason: 'untrusted_signer' });
  });
});

describe('an archive with small pieces and parts in the second reader', LINUX_ONLY, () => {
  let folder = '';
  let source = '';
  let written: Written;
  const snapshots: { id: string; disk: DiskTree }[] = [];
  const content = noise('many segments', 1_500_000);
  /** Of another set, with the parts and lists that the format asks for. */
  let inOneFile = '';
  let hasAttributes = false;

  before(async () => {
    folder = mkdtempSync(join(tmpdir(), 'second-reader-small-'));
    source = join(folder, 'source');
    makeMany(join(source, 'many'), 300);
    makeMany(join(source, 'few'), 3);
    hasAttributes =
      setAttribute(join(source, 'few'), 'user.b', 'second') && setAttribute(join(source, 'few'), 'user.a', '');
    writeFileSync(join(source, 'segments'), content);
    writeFileSync(join(source, 'some segments'), content.subarray(0, 200_000));
    written = await newArchive(join(folder, 'store'), { dataParams: SMALL_CUTS });
    const save = async () => runBackup(written, source, { cutLimits: SMALL_PARTS });
    snapshots.push({ id: await save(), disk: scanTree(source) });
    for (let at = 0; at < 200; at++) rmSync(join(source, `many/entry ${at}`));
    appendFileSync(join(source, 'segments'), 'a few bytes more');
    snapshots.push({ id: await save(), disk: scanTree(source) });
    writeFileSync(join(source, 'segments'), content);
    inOneFile = await runBackup(written, join(source, 'segments'), { setId: Buffer.alloc(16, 3), cacheDir: null });
    rmSync(join(source, 'many'), { recursive: true });
    makeMany(join(source, 'many'), 10);
    snapshots.push({ id: await save(), disk: scanTree(source) });
    await putKeys(written);
  });
  after(() => rmSync(folder, { recursive: true, force: true }));

  it('lists every snapshot as the disk was', async () => {
    const archive = await open(written);
    for (const { id, disk } of snapshots) {
      assertSameTree(asDiskTree(listSnapshot(archive, archive.snapshot(id)), source), disk);
    }
  });

  it('has extended attributes', async (t) => {
    if (!hasAttributes) return t.skip('this file system takes no extended attributes');
    const archive = await open(written);
    const few = entryAt(archive, archive.snapshot(snapshots[0]!.id).envelope.root, `${source}/few`);
    const named = few.xattrs.map(([name, value]) => [name.toString(), value.toString()]);
    assert.deepEqual(
      named.filter(([name]) => name!.startsWith('user.')),
      [
        ['user.a', ''],
        ['user.b', 'second'],
      ],
    );
  });

  it('refuses a link to a chunk of another kind', async () => {
    const archive = await open(written);
    const { root } = archive.snapshot(snapshots[0]!.id).envelope;
    assert.throws(() => readGone(archive.chunks, root), { reason: 'wrong_kind' });
    assert.throws(() => readList(archive.chunks, root, 0), { reason: 'wrong_kind' });
  });

  it('has parts below parts, also of what was deleted', async () => {
    const archive = await open(written);
    const depth = (id: Buffer, kind: 'tree' | 'gone'): number =>
      depthOf(archive, archive.chunks.open(id, [KIND[kind]]), kind);
    const { root } = archive.snapshot(snapshots[1]!.id).envelope;
    const many = entryAt(archive, root, `${source}/many`);
    assert.ok(many.type === 'directory');
    const { gone } = readDirectory(archive.chunks, many.tree);
    assert.ok(depth(many.tree, 'tree') >= 3);
    assert.ok(depth(gone!, 'gone') >= 3);
    assert.equal(readGone(archive.chunks, gone!).length, 200);
  });

  it('has lists below lists, cut where the format says', async () => {
    const archive = await open(written);
    const file = entryAt(archive, archive.snapshot(inOneFile).envelope.root, `${source}/segments`) as FileEntry;
    assert.ok(Buffer.isBuffer(file.content));
    const segments = readList(archive.chunks, file.content, file.size);
    const lengths = segments.map(({ length }) => length);
    assert.deepEqual(lengths, cut(content, gearTable(archive.keys.chunkerKey), archive.keys.data));
    const { children } = parseListBody(archive.chunks.open(file.content, [KIND.list]));
    const lists = children!.map(({ id }) => parseListBody(archive.chunks.open(id, [KIND.list])).segments!);
    const expected = segments.filter(
      ({ id }, at) => at === segments.length - 1 || isBorder(archive.keys, 'holdfast list', 0, id),
    );
    assert.deepEqual(
      lists.map((list) => list.at(-1)),
      expected,
    );
  });
});
