import assert from 'node:assert/strict';
import { randomFillSync } from 'node:crypto';
import { describe, it } from 'node:test';
import { createArchiveCrypto } from '../crypto-node/archive-crypto.ts';
import { toHex } from '../format/ids.ts';
import { LABEL } from '../format/statement.ts';
import { generateArchiveKeys } from '../keys/archive-keys.ts';
import { sign, signingKey } from '../keys/signing.ts';
import { type SealedSnapshot, sealSnapshot } from '../keys/snapshot.ts';
import { findParent } from './chain.ts';
import type { ChainProblem } from './options.ts';

const id = () => randomFillSync(new Uint8Array(16));
const keys = generateArchiveKeys(randomFillSync);
const crypto = createArchiveCrypto(keys);
const device = await signingKey(randomFillSync(new Uint8Array(32)));
const stranger = await signingKey(randomFillSync(new Uint8Array(32)));
const chain = { archiveId: keys.archiveId, deviceId: id(), setId: id(), destinationId: id() };
const description = {
  deviceName: 'd',
  setName: 's',
  paths: [],
  counts: { files: 0, directories: 0, others: 0, bytes: 0 },
  agentVersion: '',
  started: 0,
  skipped: [],
  skippedCount: 0,
  os: '',
};

async function snapshot(
  parent: SealedSnapshot | null,
  more: { key?: typeof device; setId?: Uint8Array } = {},
): Promise<SealedSnapshot> {
  const { key = device, setId = chain.setId } = more;
  const fields = {
    ...chain,
    setId,
    sequence: (parent?.envelope.sequence ?? 0) + 1,
    deviceTime: 1,
    root: randomFillSync(new Uint8Array(32)),
    parent: parent?.id ?? null,
    partial: false,
  };
  const { seed } = key;
  return sealSnapshot(fields, description, crypto, (message) => signRaw(seed, message));
}

/** `sign` of the keys takes label and body apart. */
const signRaw = (seed: Uint8Array, message: Uint8Array) => {
  const at = message.indexOf(0) + 1;
  return sign({ seed }, LABEL.snapshot, message.subarray(at));
};

async function find(stored: SealedSnapshot[], cached: SealedSnapshot | null = null) {
  const problems: ChainProblem[] = [];
  const parent = await findParent({
    ...chain,
    stored: stored.map(({ id, object }) => ({ id, object, receipt: null })),
    cached: cached?.object ?? null,
    crypto,
    sign: (message) => signRaw(device.seed, message),
    onProblem: (problem) => problems.push(problem),
  });
  return { parent: parent && { id: toHex(parent.id), stored: parent.stored }, problems };
}

const link = (s: SealedSnapshot, stored = true) => ({ id: toHex(s.id), stored });

describe('the parent of the next snapshot', () => {
  it('is the newest of this device, set and destination', async () => {
    const first = await snapshot(null);
    const second = await snapshot(first);
    const other = await snapshot(await snapshot(await snapshot(null, { setId: id() }), { setId: id() }), {
      setId: id(),
    });
    assert.deepEqual(await find([]), { parent: null, problems: [] });
    assert.deepEqual(await find([second, other, first], second), { parent: link(second), problems: [] });
    assert.deepEqual(await find([second], first), { parent: link(second), problems: [] });
  });

  it('is not one that somebody else signed in our name', async () => {
    const first = await snapshot(null);
    const forged = await snapshot(first, { key: stranger });
    assert.deepEqual(await find([first, forged], first), { parent: link(first), problems: ['foreign'] });
  });

  it('is the one that the destination lost, if that is newer', async () => {
    const first = await snapshot(null);
    const second = await snapshot(first);
    assert.deepEqual(await find([first], second), { parent: link(second, false), problems: ['lost'] });
    assert.deepEqual(await find([], second), { parent: link(second, false), problems: ['lost'] });
  });

  it('is offered again when it decayed where it is stored, whatever byte of it', async () => {
    const first = await snapshot(null);
    const second = await snapshot(first);
    for (let at = 0; at < second.object.length; at += 7) {
      const decayed = { ...second, object: second.object.with(at, (second.object[at] as number) ^ 1) };
      const { parent, problems } = await find([first, decayed], second);
      assert.deepEqual(parent, link(second, false), `byte ${at}`);
      assert.ok(problems.includes('lost'));
    }
  });

  it('is found all the same when the chain has forked', async () => {
    const first = await snapshot(null);
    const ours = await snapshot(first);
    const twin = await snapshot(first);
    const further = await snapshot(twin);
    assert.deepEqual((await find([first, ours, twin], ours)).problems, ['fork']);
    assert.deepEqual(await find([first, ours, twin, further], ours), { parent: link(further), problems: ['fork'] });
  });

  it('may have had parents that are retired by now', async () => {
    const first = await snapshot(null);
    const third = await snapshot(await snapshot(first));
    assert.deepEqual(await find([first, third], first), { parent: link(third), problems: [] });
  });
});
