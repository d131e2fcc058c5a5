import assert from 'node:assert/strict';
import { randomFillSync } from 'node:crypto';
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import fc from 'fast-check';
import { pathHash, ROW_LENGTH, TYPE } from '../source/rows.ts';
import { Cache } from './cache.ts';
import { type Content, contentOf } from './content.ts';
import { type ItemReport, JobReport, JobReportWriter } from './job-report.ts';
import { applyPresent, loadKnownIds, saveKnownIds } from './known-ids.ts';
import { NO_TOTALS } from './node.ts';
import { DirectoryRecord, type Entry, encodeRecord, fingerprintOfRecord } from './record.ts';

const bytes = (length: number) => fc.uint8Array({ minLength: length, maxLength: length }).map((b) => Buffer.from(b));
const some = fc.uint8Array({ maxLength: 20 }).map((b) => Buffer.from(b));
const id = fc.nat(5).map((n) => Buffer.alloc(32, n));
const u32 = fc.nat(0xffffffff);
const segment = fc.record({ id, offset: u32, length: u32 });

const content: fc.Arbitrary<Content> = fc
  .record(
    {
      fileId: bytes(16),
      segments: fc.array(segment, { maxLength: 4 }),
      list: id,
      tree: id,
      target: some,
      xattrs: fc.array(fc.tuple(some, some), { maxLength: 3 }),
      extents: fc.array(fc.tuple(fc.nat(Number.MAX_SAFE_INTEGER), fc.nat()), { maxLength: 3 }),
    },
    { requiredKeys: [] },
  )
  .map(contentOf);

/** A row with a type and noise in place of its name's place, which the record sets. */
const row = fc.tuple(bytes(ROW_LENGTH), fc.nat(6)).map(([noise, type]) => {
  noise[0] = type;
  noise.fill(0, 2, 8);
  return noise;
});

const entry: fc.Arbitrary<Entry> = fc.record({
  name: fc.uint8Array({ minLength: 1, maxLength: 30 }).map((b) => Buffer.from(b)),
  row,
  content,
  group: u32,
  again: fc.boolean(),
  deleted: fc.nat(),
});

const entries = fc
  .uniqueArray(entry, { selector: ({ name }) => name.toString('latin1'), maxLength: 12 })
  .map((list) => list.sort((a, b) => a.name.compare(b.name)));

const withoutName = (given: Entry) => {
  const bare = Buffer.from(given.row);
  bare.fill(0, 2, 8);
  return { ...given, row: bare };
};

const plain = (value: unknown): unknown => JSON.parse(JSON.stringify(value));

describe('a record of a directory', () => {
  it('gives back the entries that it was made of, and finds each by its name', () => {
    fc.assert(
      fc.property(some, entries, entries, (path, live, gone) => {
        const record = new DirectoryRecord(encodeRecord(path, live, gone));
        assert.deepEqual(record.path, path);
        assert.equal(record.live, live.length);
        const all = Array.from({ length: record.count }, (_, i) => withoutName(record.entry(i)));
        assert.deepEqual(plain(all), plain([...live, ...gone].map(withoutName)));
        for (const [i, { name }] of live.entries()) assert.equal(record.find(name), i);
        assert.equal(record.find(Buffer.alloc(40)), -1);
      }),
    );
  });

  it('names every id that its entries link', () => {
    fc.assert(
      fc.property(entries, (live) => {
        const record = new DirectoryRecord(encodeRecord(Buffer.alloc(0), live, []));
        for (const [i, { content: given }] of live.entries()) {
          const linked: string[] = [];
          record.links(i, (number) => linked.push(record.id(number).toString('hex')));
          const first = given.list ?? given.tree;
          const wanted = [...(given.segments ?? []).map((s) => s.id), ...(first ? [first] : [])];
          assert.deepEqual(
            linked,
            wanted.map((b) => Buffer.from(b).toString('hex')),
          );
        }
      }),
    );
  });

  it('has the fingerprint of its live entries alone', () => {
    fc.assert(
      fc.property(entries, entries, (live, gone) => {
        const one = new DirectoryRecord(encodeRecord(Buffer.from('/a'), live, gone));
        const other = new DirectoryRecord(encodeRecord(Buffer.from('/b'), live, []));
        assert.deepEqual(fingerprintOfRecord(one), fingerprintOfRecord(other));
      }),
    );
  });
});

describe('a report of a job', () => {
  it('is read as it was written', () => {
    const failed = fc.record({ kind: fc.constant('failed' as const), reason: fc.string(), gone: fc.boolean() });
    const done = fc.record({
      kind: fc.constantFrom('done' as const, 'same' as const),
      row: fc.option(row),
      content,
      again: fc.boolean(),
      note: fc.string(),
      value: u32,
    });
    const bundle = fc.record({ id, length: u32 });
    fc.assert(
      fc.property(fc.array(fc.oneof(failed, done)), fc.array(bundle), (items: ItemReport[], bundles) => {
        const writer = new JobReportWriter();
        for (const item of items) writer.add(item);
        for (const { id: chunk, length } of bundles) writer.bundle(chunk, length);
        const report = new JobReport(writer.finish());
        assert.deepEqual(plain(report.bundles()), plain(bundles));
        assert.equal(report.count, items.length);
        for (const [i, item] of items.entries()) {
          const { value = 0, ...read } = { ...report.item(i) } as ItemReport & { value?: number };
          const { value: given, ...wanted } = { ...item } as ItemReport & { value?: number };
          assert.deepEqual(plain(read), plain(wanted));
          assert.equal(report.sameAs(i), item.kind === 'same' ? given : -1);
          if (item.kind === 'same') assert.equal(value, given);
        }
      }),
    );
  });
});

describe('the cache', () => {
  const owner = [randomFillSync(new Uint8Array(16))];
  const folder = (t: TestContext): string => {
    const dir = mkdtempSync(join(tmpdir(), 'holdfast-cache-'));
    t.after(() => rmSync(dir, { recursive: true, force: true }));
    return dir;
  };
  const fileIn = (dir: string) => join(dir, readdirSync(dir).find((name) => name.endsWith('.cache')) as string);
  const recordOf = (path: string, size: number) => {
    const data = Buffer.alloc(ROW_LENGTH);
    data[0] = TYPE.symlink;
    const target = Buffer.alloc(size, 'x');
    return encodeRecord(
      Buffer.from(path),
      [{ name: Buffer.from('n'), row: data, content: contentOf({ target }), group: 0, again: false, deleted: 0 }],
      [],
    );
  };
  const put = (cache: Cache, path: string, size: number) => {
    const state = {
      fingerprint: Buffer.alloc(16, size),
      tree: Buffer.alloc(32, size),
      oldestGone: size,
      totals: { ...NO_TOTALS, files: size },
    };
    cache.put(pathHash(Buffer.from(path)), state, recordOf(path, size));
  };
  const sizeOf = (cache: Cache, path: string): number | undefined => {
    const found = cache.find(pathHash(Buffer.from(path)));
    return found < 0 ? undefined : cache.record(cache.place(found)).content(0).target?.length;
  };

  it('finds what the last transaction left, and nothing of an unfinished one', (t) => {
    const dir = folder(t);
    const step = fc.record({
      puts: fc.dictionary(fc.constantFrom('/a', '/b', '/c', '/d'), fc.integer({ min: 1, max: 200 })),
      drop: fc.option(fc.constantFrom('/a', '/b', '/c', '/d')),
      commit: fc.boolean(),
    });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 8 }), (steps) => {
        rmSync(dir, { recursive: true, force: true });
        let model: Record<string, number> = {};
        for (const { puts, drop, commit } of steps) {
          const cache = Cache.open(dir, owner);
          const next = { ...model, ...puts };
          for (const [path, size] of Object.entries(puts)) put(cache, path, size);
          if (drop) {
            delete next[drop];
            cache.retain(new Set(Object.keys(next).map((path) => cache.find(pathHash(Buffer.from(path))))));
          }
          cache.setNote(Buffer.from(JSON.stringify(next)));
          if (commit) {
            cache.commit();
            model = next;
          }
          cache.close();
          const again = Cache.open(dir, owner);
          for (const path of ['/a', '/b', '/c', '/d']) assert.equal(sizeOf(again, path), model[path]);
          assert.equal(again.size, Object.keys(model).length);
          again.close();
        }
      }),
      { numRuns: 30 },
    );
  });

  for (const kept of ['in a file', 'in memory']) {
    it(`gives all records, one after the other, as each alone, ${kept}`, (t) => {
      const dir = kept === 'in a file' ? folder(t) : null;
      const size = fc.oneof(fc.integer({ min: 1, max: 2000 }), fc.integer({ min: 200_000, max: 1_500_000 }));
      const puts = fc.array(fc.tuple(fc.constantFrom('/a', '/b', '/c', '/d', '/e'), size, fc.boolean()));
      fc.assert(
        fc.property(puts, (steps) => {
          const cache = Cache.open(dir, owner);
          for (const [path, size, commit] of steps) {
            put(cache, path, size);
            if (commit) cache.commit();
            const all = [...cache.all()].map((row) => cache.place(row));
            let i = 0;
            for (const { place, record } of cache.records()) {
              assert.deepEqual(place, all[i++]);
              assert.deepEqual(record, cache.record(place));
            }
            assert.equal(i, all.length);
          }
          cache.close();
        }),
        { numRuns: 20 },
      );
    });
  }

  it('is private, and does not grow for ever', (t) => {
    const dir = folder(t);
    for (let i = 0; i < 30; i++) {
      const cache = Cache.open(dir, owner);
      put(cache, '/big', 1_000_000 + i);
      cache.commit();
      cache.close();
    }
    assert.equal(statSync(fileIn(dir)).mode & 0o777, 0o600);
    assert.ok(statSync(fileIn(dir)).size < 8_000_000);
    const cache = Cache.open(dir, owner);
    assert.equal(sizeOf(cache, '/big'), 1_000_029);
    cache.close();
  });

  it('that is cut off or changed anywhere is refused, or refuses the record', (t) => {
    const dir = folder(t);
    const cache = Cache.open(dir, owner);
    for (let i = 1; i < 20; i++) put(cache, `/${i}`, i);
    cache.commit();
    cache.close();
    const path = fileIn(dir);
    const whole = readFileSync(path);
    fc.assert(
      fc.property(fc.nat(whole.length - 1), fc.integer({ min: 1, max: 255 }), fc.boolean(), (at, flip, cut) => {
        const damaged = Buffer.from(whole);
        damaged[at] = (damaged[at] as number) ^ flip;
        writeFileSync(path, damaged);
        if (cut) truncateSync(path, at);
        const opened = Cache.open(dir, owner);
        try {
          for (let i = 1; i < 20; i++) {
            try {
              assert.ok([i, undefined].includes(sizeOf(opened, `/${i}`)));
              for (const { record } of opened.records()) assert.equal(record.live, 1);
            } catch (error) {
              assert.equal((error as Error).constructor.name, 'CacheDamaged');
            }
          }
        } finally {
          opened.close();
        }
      }),
    );
  });
});

describe('the ids known to be present', () => {
  it('follow the answers of the destination', () => {
    const prefixes = (set: Iterable<number>) => Buffer.concat([...set].map((n) => Buffer.alloc(16, n)));
    const answer = fc.record({
      full: fc.boolean(),
      add: fc.uniqueArray(fc.nat(20)),
      remove: fc.uniqueArray(fc.nat(20)),
    });
    fc.assert(
      fc.property(fc.array(answer), (answers) => {
        let known = { cursor: null as string | null, prefixes: Buffer.alloc(0) };
        let model = new Set<number>();
        for (const { full, add, remove } of answers) {
          if (full) model = new Set(add);
          const removed = full ? [] : remove.filter((n) => model.has(n));
          for (const n of removed) model.delete(n);
          const added = full ? add : add.filter((n) => !model.has(n));
          for (const n of added) model.add(n);
          const given = { full, prefixes: prefixes(added), removed: prefixes(removed), cursor: 'c', total: model.size };
          known = applyPresent(known, given) as typeof known;
        }
        const found = new Set(Array.from({ length: known.prefixes.length / 16 }, (_, i) => known.prefixes[i * 16]));
        assert.deepEqual(found, model);
      }),
    );
  });

  it('are kept between runs, unless the file is damaged', (t) => {
    const dir = mkdtempSync(join(tmpdir(), 'holdfast-ids-'));
    t.after(() => rmSync(dir, { recursive: true, force: true }));
    const known = { cursor: 'here', prefixes: randomFillSync(Buffer.alloc(160)) };
    const owner = [Buffer.from('archive')];
    saveKnownIds(dir, owner, known);
    assert.deepEqual(loadKnownIds(dir, owner), known);
    const path = join(dir, readdirSync(dir)[0] as string);
    const bytes = readFileSync(path);
    bytes[40] = (bytes[40] as number) ^ 1;
    writeFileSync(path, bytes);
    assert.deepEqual(loadKnownIds(dir, owner), { cursor: null, prefixes: Buffer.alloc(0) });
  });
});
