import assert from 'node:assert/strict';
import { hash } from 'node:crypto';
import { describe, it } from 'node:test';
import { Worker } from 'node:worker_threads';
import fc from 'fast-check';
import { ClaimTable } from './claim-table.ts';
import { FileTable } from './file-table.ts';
import { FingerprintTable } from './fingerprint-table.ts';
import { CpuShare, createPace } from './pacing.ts';
import { Controls, JOB, Plan, PlanWriter } from './shared.ts';

const idOf = (n: number): Buffer => hash('sha256', `id ${n}`, 'buffer');

describe('the table of claims', () => {
  it('says for each id whether somebody has it, as a map would', () => {
    const step = fc.record({ id: fc.nat(60), what: fc.constantFrom('claim', 'known', 'drop', 'has') });
    fc.assert(
      fc.property(fc.array(step), (steps) => {
        const table = ClaimTable.forIds(10);
        const model = new Set<number>();
        for (const { id, what } of steps) {
          const bytes = idOf(id);
          if (what === 'has') assert.equal(table.has(bytes), model.has(id));
          else if (what === 'drop') {
            table.drop(bytes);
            model.delete(id);
          } else {
            if (what === 'claim') assert.equal(table.claim(bytes) >= 0, !model.has(id));
            else table.addKnown(bytes, 0);
            model.add(id);
          }
        }
      }),
    );
  });

  it('gives each claim a number above all claims that were to be seen before', () => {
    const table = ClaimTable.forIds(100);
    for (let n = 0; n < 100; n++) {
      const before = table.claims;
      const number = table.claim(idOf(n));
      assert.ok(number >= before && number < table.claims);
    }
  });

  it('stores a chunk again rather than losing it when it is full', () => {
    const table = ClaimTable.forIds(1);
    let claimed = 0;
    for (let n = 0; n < 5000; n++) if (table.claim(idOf(n)) >= 0) claimed++;
    assert.equal(claimed, 5000);
    assert.ok(table.claim(idOf(4999)) >= 0);
    assert.equal(table.claim(idOf(0)), -1);
  });

  it('takes at most 40 bytes an id and finds each, just before and just after a power of two', () => {
    for (const count of [2 ** 15, 2 ** 15 + 1]) {
      const table = ClaimTable.forIds(count);
      assert.ok(table.memory.byteLength <= 40 * count);
      for (let n = 0; n < count; n++) table.addKnown(idOf(n), 0);
      for (let n = 0; n < count; n++) assert.ok(table.has(idOf(n)));
    }
  });

  it('gives an id to one of several threads only', async () => {
    const table = ClaimTable.forIds(4000);
    const script = `
      import { workerData, parentPort } from 'node:worker_threads';
      import { hash } from 'node:crypto';
      const { ClaimTable } = await import(workerData.module);
      const table = new ClaimTable(workerData.memory);
      const won = [];
      for (let n = 0; n < 4000; n++) if (table.claim(hash('sha256', 'id ' + n, 'buffer')) >= 0) won.push(n);
      parentPort.postMessage(won);`;
    const won = await Promise.all(
      [1, 2, 3].map(
        () =>
          new Promise<number[]>((resolve, reject) => {
            const module = new URL('./claim-table.ts', import.meta.url).href;
            const url = new URL(`data:text/javascript,${encodeURIComponent(script)}`);
            const worker = new Worker(url, { workerData: { memory: table.memory, module } });
            worker.once('message', resolve);
            worker.once('error', reject);
          }),
      ),
    );
    assert.deepEqual(
      won.flat().sort((a, b) => a - b),
      Array.from({ length: 4000 }, (_, n) => n),
    );
  });
});

describe('the table of files', () => {
  it('keeps the first value of each file id', () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.nat(200), fc.nat(0xfffffff0)), { maxLength: 1000 }), (entries) => {
        const table = FileTable.forFiles(entries.length);
        const model = new Map<number, number>();
        for (const [id, value] of entries) {
          assert.equal(table.getOrSet(idOf(id), 0, value), model.get(id) ?? -1);
          if (!model.has(id)) model.set(id, value);
        }
      }),
    );
  });
});

describe('the table of fingerprints', () => {
  it('matches exactly what was put in', () => {
    fc.assert(
      fc.property(fc.uniqueArray(fc.nat(500)), fc.nat(500), (added, asked) => {
        const table = FingerprintTable.forDirectories(added.length);
        for (const n of added) table.add(idOf(n).subarray(0, 16), idOf(n + 1000).subarray(0, 16));
        const key = idOf(asked).subarray(0, 16);
        assert.equal(table.matches(key, idOf(asked + 1000).subarray(0, 16)), added.includes(asked));
        assert.equal(table.matches(key, Buffer.alloc(16, 1)), false);
      }),
    );
  });
});

describe('jobs in shared memory', () => {
  it('hold the items as they were written', () => {
    const name = fc.uint8Array({ minLength: 1, maxLength: 255 }).map((bytes) => Buffer.from(bytes));
    const item = fc.record({ name, type: fc.nat(6), size: fc.nat(Number.MAX_SAFE_INTEGER) });
    const job = fc.record({ large: fc.boolean(), directory: name, items: fc.array(item, { minLength: 1 }) });
    fc.assert(
      fc.property(fc.array(job), (jobs) => {
        const writer = new PlanWriter();
        for (const { large, directory, items } of jobs) {
          writer.job(large ? JOB.large : JOB.batch);
          writer.directory(Buffer.concat([Buffer.from('/'), directory]));
          for (const { name, type, size } of items) writer.item(name, type, size);
        }
        const plan = new Plan(writer.finish());
        assert.equal(plan.jobCount, jobs.length);
        for (const [number, { large, directory, items }] of jobs.entries()) {
          const { kind, first, count } = plan.job(number);
          assert.deepEqual([kind, count], [large ? JOB.large : JOB.batch, items.length]);
          for (const [i, { name, type, size }] of items.entries()) {
            const path = Buffer.concat([Buffer.from('/'), directory, Buffer.from('/'), name]);
            assert.deepEqual(plan.item(first + i), { path, type, size });
          }
        }
      }),
    );
  });

  it('pass the turn on in order, in whatever order they are done', () => {
    fc.assert(
      fc.property(fc.shuffledSubarray([0, 1, 2, 3, 4, 5, 6], { minLength: 7 }), (order) => {
        const controls = Controls.create(7, 1);
        const done = new Set<number>();
        for (const job of order) {
          controls.passTurn(job);
          done.add(job);
          let frontier = 0;
          while (done.has(frontier)) frontier++;
          controls.awaitTurn(frontier); // returns at once: all below have decided
        }
      }),
    );
  });
});

describe('pacing', () => {
  it('rests as long as the share asks for, also when that changes', () => {
    let clock = 0;
    let rested = 0;
    const share = new CpuShare();
    share.set(0.25);
    const seen = new CpuShare(structuredClone(share.memory));
    const pace = createPace(
      () => seen.get(),
      (ms) => {
        rested += ms;
        clock += ms;
      },
      () => clock,
    );
    const work = (): number => {
      const before = rested;
      for (let i = 0; i < 10; i++) {
        clock += 20;
        pace();
      }
      return rested - before;
    };
    assert.equal(work(), 600);
    share.set(1);
    assert.equal(work(), 0);
    share.set(0.5);
    assert.equal(work(), 200);
  });
});
