import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { describe, it } from 'node:test';
import { decodeCbor, type Value } from './cbor.ts';
import { borderHash, cut, gearTable } from './cutting.ts';
import { parseDeviceList } from './device-list.ts';
import { type Kind, openFrame, readEntry } from './frame.ts';
import { cutParamsOf, type Golden, goldenBytes, goldenJson, goldenKeys, goldenLinks } from './golden.ts';
import { openDeviceWrap, openPassphraseWrap, parseIdentity } from './identity.ts';
import { fileIdOf, joinKeyFiles, openKeyFile, parseKeyFileBody } from './keys.ts';
import { parseListBody } from './list.ts';
import { packIdOf, readPack, scanPack, tableIsDamaged } from './pack.ts';
import { parseReceipt, parseTombstone } from './receipt.ts';
import { openSnapshot, parseDescription, parseEnvelope } from './snapshot.ts';
import { openStatement } from './statement.ts';
import { parseTreeBody } from './tree.ts';
import type { TreeEntry } from './tree-entry.ts';

const keys = goldenKeys();
const { publicKeys, deviceAge, passphrase } = goldenJson('keys.json');
const values = goldenJson('values.json');
const sha256 = (bytes: Buffer): Buffer => createHash('sha256').update(bytes).digest();

/** A decoded value the way the golden files write it down. */
function asGolden(value: Value): unknown {
  if (Array.isArray(value)) return value.map(asGolden);
  if (value instanceof Map) return { map: [...value].map(([key, inner]) => [key, asGolden(inner)]) };
  return value;
}

/** The members of an entry that are there, under the names of values.json. */
function entryAsGolden(entry: TreeEntry): Golden {
  const { mtime, xattrs, deletedMs, ...rest } = entry;
  const content = 'content' in entry ? entry.content : [];
  const plain = {
    ...rest,
    mtime: [mtime.sec, mtime.nsec],
    xattrs: xattrs.length > 0 ? xattrs : undefined,
    deleted: deletedMs,
    content: undefined,
    segments: !Buffer.isBuffer(content) && content.length > 0 ? content.map(Object.values) : undefined,
    list: Buffer.isBuffer(content) ? content : undefined,
    extents: 'extents' in entry ? entry.extents?.map(Object.values) : undefined,
  };
  return Object.fromEntries(Object.entries(plain).filter(([, value]) => value !== undefined));
}

function treeAsGolden(name: string, kind: Kind): Golden {
  const chunk = { kind, body: goldenBytes(`${name}.body`), links: goldenLinks(`${name}.links`) };
  const { entries, children, gone } = parseTreeBody(chunk, kind === 7 ? 'gone' : 'tree');
  return {
    ...(entries ? { entries: entries.map(entryAsGolden) } : { children }),
    ...(gone ? { gone } : {}),
  };
}

describe('golden files in the second reader', () => {
  it('are CBOR that it takes or refuses', () => {
    for (const [hex, expected] of goldenJson('cbor-valid.json')) {
      assert.deepEqual(asGolden(decodeCbor(Buffer.from(hex, 'hex'))), expected, hex);
    }
    for (const [hex, why] of goldenJson('cbor-invalid.json')) {
      assert.throws(() => decodeCbor(Buffer.from(hex, 'hex')), { reason: 'malformed' }, why);
    }
  });

  it('are ids, borders and pieces that it computes', () => {
    const gear = gearTable(keys.chunkerKey);
    const table = goldenBytes('gear.bin');
    gear.forEach((word, at) => {
      assert.equal(word, table.readUInt32BE(at * 4));
    });
    for (const [content, id] of goldenJson('file-id.json')) assert.deepEqual(fileIdOf(keys.idKey, content), id);
    for (const [label, level, bytes, hash] of goldenJson('border.json')) {
      assert.equal(borderHash(keys.chunkerKey, label, level, bytes), hash);
    }
    for (const { name, length, params, pieces } of goldenJson('fastcdc.json').cases) {
      const shake = () => createHash('shake256', { outputLength: length }).update(`holdfast golden ${name}`).digest();
      const input = name === 'zeros' ? Buffer.alloc(length) : shake();
      assert.deepEqual(cut(input, gear, cutParamsOf(params)), pieces, name);
    }
  });

  it('are frames that it opens', () => {
    const frames = Object.keys(values).filter((name) => name.endsWith('.frame'));
    assert.ok(frames.length >= 12);
    for (const name of frames) {
      const { kind, generation, id, links, plaintext, plainHash } = values[name];
      const chunk = openFrame(goldenBytes(name), keys);
      assert.equal(readEntry(goldenBytes(name.replace('.frame', '.entry')), 0).generation, generation);
      assert.deepEqual([chunk.kind, chunk.id, Buffer.concat(chunk.links)], [kind, id, links], name);
      assert.deepEqual(plainHash ? sha256(chunk.body) : chunk.body, plainHash ?? plaintext, name);
    }
  });

  it('are frames that it refuses with any byte changed', () => {
    for (const name of ['frame-tree.frame', 'frame-data-zstd.frame']) {
      const frame = goldenBytes(name);
      for (let at = 0; at < frame.length; at++) {
        const bent = Buffer.from(frame);
        bent[at]! ^= 1;
        assert.throws(() => openFrame(bent, keys), { name: 'Refusal' }, `${name} at ${at}`);
      }
    }
  });

  it('are packs whose tables it believes', () => {
    for (const name of ['pack.pack', 'pack-empty.pack']) {
      const pack = goldenBytes(name);
      const frames = readPack(pack, keys.archiveId);
      assert.deepEqual(packIdOf(pack), values[name].packId.toString('hex'));
      const lengths = frames.map(({ entry }) => entry.encoded.length + entry.storedLength);
      assert.deepEqual(lengths, values[name].lengths);
      assert.deepEqual(scanPack(pack, keys.archiveId), frames);
      assert.equal(tableIsDamaged(pack), false);
      for (const { at, entry } of frames) {
        openFrame(pack.subarray(at, at + entry.encoded.length + entry.storedLength), keys);
      }
    }
  });

  it('are directories and lists', () => {
    const bodies: [string, Kind][] = [
      ['tree-leaf', 4],
      ['tree-empty', 4],
      ['tree-index', 4],
      ['part-leaf', 5],
      ['gone-leaf', 7],
    ];
    for (const [name, kind] of bodies) assert.deepEqual(treeAsGolden(name, kind), values[`${name}.body`], name);
    const listOf = (name: string) =>
      parseListBody({ body: goldenBytes(`${name}.body`), links: goldenLinks(`${name}.links`) });
    assert.deepEqual(listOf('list-leaf').segments?.map(Object.values), values['list-leaf.body'].segments);
    assert.deepEqual(listOf('list-index').children, values['list-index.body'].children);
  });

  it('are directories that it refuses with a link more or a link less', () => {
    const [body, links] = [goldenBytes('tree-leaf.body'), goldenLinks('tree-leaf.links')];
    for (const wrong of [[...links, Buffer.alloc(32, 0xff)], links.slice(0, -1)]) {
      assert.throws(() => parseTreeBody({ kind: 4, body, links: wrong }, 'tree'), { reason: 'malformed' });
    }
    assert.throws(() => parseTreeBody({ kind: 7, body, links }, 'gone'), { name: 'Refusal' });
  });

  it('are identities, their wraps and key files', async () => {
    const identity = await parseIdentity(goldenBytes('identity.txt').toString());
    assert.equal(identity.recipient, values['identity.txt'].recipient);
    assert.deepEqual(identity.publicKey, values['identity.txt'].publicKey);
    assert.deepEqual(await openDeviceWrap(goldenBytes('identity-device.age'), deviceAge), identity);
    assert.deepEqual(await openPassphraseWrap(goldenBytes('identity-passphrase.age'), passphrase), identity);
    const files = await Promise.all([1, 2].map((at) => openKeyFile(goldenBytes(`key-file-${at}.age`), identity)));
    assert.deepEqual(joinKeyFiles(keys.archiveId, files), keys);
    files.forEach((file, at) => {
      assert.deepEqual(parseKeyFileBody(goldenBytes(`key-file-${at + 1}.body`)), file);
      assert.equal(file.createdMs, values[`key-file-${at + 1}.body`].created);
    });
  });

  it('are a device list and snapshots', () => {
    const statement = openStatement(goldenBytes('device-list.cbor'), 'holdfast device list 1\0', [publicKeys.user]);
    const devices = parseDeviceList(statement);
    const named = devices.devices.map(({ addedMs, removedMs, ...rest }) => ({
      ...rest,
      added: addedMs,
      removed: removedMs ?? null,
    }));
    assert.deepEqual({ ...devices, devices: named }, values['device-list.cbor']);
    for (const name of ['first', 'later']) {
      const { id, envelope } = openSnapshot(goldenBytes(`snapshot-${name}.cbor`), keys, devices);
      const { deviceTimeMs, ...rest } = envelope;
      assert.deepEqual({ ...rest, deviceTime: deviceTimeMs }, values[`envelope-${name}.cbor`]);
      assert.deepEqual(parseEnvelope(goldenBytes(`envelope-${name}.cbor`)), envelope);
      assert.equal(id, values[`snapshot-${name}.cbor`].id.toString('hex'));
    }
    const { startedMs, ...description } = parseDescription(goldenBytes('description.cbor'));
    assert.deepEqual({ ...description, started: startedMs }, values['description.cbor']);
  });

  it('are a receipt and a tombstone', () => {
    const open = (name: string, label: 'holdfast receipt 1\0' | 'holdfast tombstone 1\0') =>
      openStatement(goldenBytes(name), label, [publicKeys.server]);
    const { receivedMs, ...receipt } = parseReceipt(open('receipt.cbor', 'holdfast receipt 1\0'));
    assert.deepEqual({ ...receipt, received: receivedMs }, values['receipt.cbor']);
    const {
      receivedMs: received,
      retiredMs,
      ...rest
    } = parseTombstone(open('tombstone.cbor', 'holdfast tombstone 1\0'));
    assert.deepEqual({ ...rest, received, retired: retiredMs }, values['tombstone.cbor']);
  });
});
