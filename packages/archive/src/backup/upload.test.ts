import assert from 'node:assert/strict';
import { hash, randomFillSync } from 'node:crypto';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { createArchiveCrypto } from '../crypto-node/archive-crypto.ts';
import { ArchiveError } from '../errors.ts';
import { toHex } from '../format/ids.ts';
import { KIND } from '../format/kinds.ts';
import { PackWriter, readPackTable } from '../format/pack.ts';
import { generateArchiveKeys } from '../keys/archive-keys.ts';
import { type FilledPack, newHash } from './pack-filler.ts';
import { Upload } from './upload.ts';

const keys = generateArchiveKeys(randomFillSync);
const crypto = createArchiveCrypto(keys);

function frameOf(name: string, links?: Uint8Array): { id: Uint8Array; frame: Uint8Array } {
  const kind = links ? KIND.tree : KIND.data;
  const plaintext = Buffer.from(name);
  const id = crypto.chunkId(kind, plaintext, links);
  return { id, frame: crypto.seal(kind, id, plaintext, links) };
}

function packOf(name: string, lowest: number): FilledPack {
  const { id, frame } = frameOf(name);
  const writer = new PackWriter(keys.archiveId, newHash);
  writer.add(frame);
  const bytes = writer.finish();
  return { packId: hash('sha256', bytes, 'buffer'), bytes, ids: id, lowest };
}

/** A destination whose answers come when the test wants them, and which accepts a tree only if what it links is there. */
class Store {
  readonly present = new Set<string>();
  readonly order: string[] = [];
  readonly waiting: { name: string; answer: () => void }[] = [];
  table = { claims: 0 };
  readonly upload: Upload = new Upload({
    destination: this as never,
    table: this.table,
    archiveId: keys.archiveId,
    workers: 2,
    onPack: () => {},
    closePacks: () => {},
    givePermit: () => {},
    fail: (error) => {
      if (this.revoked === null) throw error;
      this.failures++;
      this.onFailure();
    },
  });
  /** What every pack from now on is answered with. */
  revoked: ArchiveError | null = null;
  failures = 0;
  onFailure: () => void = () => {};
  asked = 0;

  async putPack({ bytes }: { bytes: Uint8Array }): Promise<'stored'> {
    this.asked++;
    if (this.revoked && this.asked < 100) throw this.revoked;
    const frames = readPackTable(Uint8Array.from(bytes), keys.archiveId, newHash);
    return new Promise((resolve, reject) => {
      const answer = () => {
        for (const { entry } of frames) {
          for (let at = 0; at < entry.links.length; at += 32) {
            const link = entry.links.slice(at, at + 32);
            if (!this.present.has(toHex(link))) return reject(new ArchiveError('links_missing', { ids: [link] }));
          }
          this.present.add(toHex(entry.id));
        }
        resolve('stored');
      };
      this.waiting.push({ name: frames[0]?.entry.kind === KIND.tree ? 'tree' : 'data', answer });
    });
  }

  async commit(): Promise<{ receipt: null }> {
    this.order.push('commit');
    return { receipt: null };
  }

  answer(index: number): void {
    const [one] = this.waiting.splice(index % this.waiting.length, 1);
    if (one) this.order.push(one.name);
    one?.answer();
  }

  async answerAll(pick: () => number): Promise<void> {
    for (;;) {
      await new Promise((resolve) => setImmediate(resolve));
      if (this.waiting.length === 0) return;
      this.answer(pick());
    }
  }
}

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

/** Two packs are under way, one is refused, and two more would be next. */
async function underWayBesideAFailure(): Promise<{ store: Store; failing: Promise<void> }> {
  const store = new Store();
  const failing = new Promise<void>((resolve) => {
    store.onFailure = resolve;
  });
  for (const name of ['first', 'second']) store.upload.addData(0, packOf(name, 0), 0);
  await turn();
  store.revoked = new ArchiveError('store_unavailable', {});
  for (const name of ['refused', 'waits', 'waits too']) store.upload.addData(1, packOf(name, 0), 0);
  await turn();
  return { store, failing };
}

describe('sending packs', () => {
  it('sends a tree only when what it links is acknowledged, in whatever order that happens', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.nat(100), { minLength: 1, maxLength: 12 }),
        fc.infiniteStream(fc.nat(10)),
        async (data, choices) => {
          const store = new Store();
          const pick = () => choices.next().value as number;
          const { upload } = store;
          for (const [i, n] of data.entries()) {
            const pack = packOf(`data ${i} ${n}`, i);
            const { ids } = pack;
            store.table.claims = i + 1;
            const worker = n % 2;
            upload.addData(worker, pack, store.table.claims);
            // The other worker holds back nothing: its bound follows.
            upload.setBound(1 - worker, store.table.claims);
            const tree = frameOf(`tree ${i}`, ids);
            upload.addTree(tree.id, tree.frame);
            if (n % 3 === 0) void upload.sendTrees();
          }
          upload.addLoose(0, null);
          upload.addLoose(1, null);
          const finished = upload.finish(Buffer.from('object'));
          await store.answerAll(pick);
          assert.deepEqual(await finished, { receipt: null });
          assert.equal(upload.refused, null);
          assert.equal(store.order.at(-1), 'commit');
        },
      ),
      { numRuns: 50 },
    );
  });

  it('keeps trees back while a worker may still hold what they link', async () => {
    const store = new Store();
    const { upload } = store;
    store.table.claims = 5;
    const tree = frameOf('tree', new Uint8Array(0));
    upload.addTree(tree.id, tree.frame);
    void upload.sendTrees();
    upload.setBound(0, 5);
    upload.setBound(1, 3);
    await store.answerAll(() => 0);
    assert.deepEqual(store.order, []);
    upload.setBound(1, 5);
    await store.answerAll(() => 0);
    assert.deepEqual(store.order, ['tree']);
  });

  it('sends what the workers had left when somebody waits for the trees', async () => {
    for (const early of [true, false]) {
      const store = new Store();
      const { upload } = store;
      const data = packOf('left over', 0);
      store.table.claims = 1;
      const tree = frameOf('tree', data.ids);
      upload.addTree(tree.id, tree.frame);
      if (early) upload.addLoose(0, { ...data, frames: new Uint32Array(0) });
      const sent = upload.sendTrees();
      upload.addLoose(early ? 1 : 0, early ? null : { ...data, frames: new Uint32Array(0) });
      if (!early) upload.addLoose(1, null);
      await store.answerAll(() => 0);
      assert.deepEqual(store.order, ['data', 'tree']);
      await sent;
    }
  });

  it('sends a tree pack that failed for good once only', async () => {
    const store = new Store();
    store.revoked = new ArchiveError('store_unavailable', {});
    const { upload } = store;
    const tree = frameOf('tree', new Uint8Array(0));
    upload.addTree(tree.id, tree.frame);
    upload.addLoose(0, null);
    upload.addLoose(1, null);
    void upload.sendTrees();
    await new Promise((resolve) => setImmediate(resolve));
    upload.setBound(0, 9);
    await new Promise((resolve) => setImmediate(resolve));
    assert.deepEqual([store.asked, store.failures], [1, 1]);
  });

  it('lets packs under way end when another fails for good, and begins no more', async () => {
    const { store, failing } = await underWayBesideAFailure();
    assert.deepEqual([store.asked, store.failures], [3, 0]);
    store.answer(0);
    await turn();
    assert.equal(store.failures, 0, 'one is still under way');
    store.answer(0);
    await failing;
    assert.deepEqual([store.asked, store.failures, store.order], [3, 1, ['data', 'data']]);
  });

  it('does not wait for ever for packs under way when another fails', async (t) => {
    t.mock.timers.enable({ apis: ['setTimeout'] });
    const { store, failing } = await underWayBesideAFailure();
    t.mock.timers.tick(30_000);
    await failing;
    assert.deepEqual([store.failures, store.waiting.length], [1, 2]);
  });

  it('gives the trees back that were refused', async () => {
    const store = new Store();
    const { upload } = store;
    const tree = frameOf('tree', crypto.chunkId(KIND.data, Buffer.from('never sent')));
    upload.addTree(tree.id, tree.frame);
    upload.addData(0, packOf('data', 0), 1);
    store.table.claims = 1;
    upload.addLoose(0, null);
    upload.addLoose(1, null);
    const finished = upload.finish(Buffer.from('object'));
    await store.answerAll(() => 0);
    assert.equal(await finished, null);
    assert.equal(upload.refused?.length, 1);
    assert.deepEqual((await upload.abandonTrees()).map(toHex), [toHex(tree.id)]);
  });
});
