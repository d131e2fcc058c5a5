import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { id } from '../testing/made.ts';
import { Site } from '../testing/site.ts';
import { HOUR } from '../testing/test-point.ts';

const tree = (name: string, ...links: string[]) => ({ id: id(name), links: links.map(id) });
const data = (...names: string[]) => names.map((name) => ({ id: id(name) }));

describe('collect', () => {
  test('deletes what no snapshot needs, and the packs that are empty then', async () => {
    const site = await Site.make();
    await site.backUp([data('a', 'b'), [tree('t', 'a', 'b')]], id('t'));
    await site.backUp([data('x'), [tree('u', 'x')], data('y')]);
    await site.laterBy();
    await site.maintain('collect');
    assert.deepEqual(site.result(), { condemned: 3, rescued: 0, deleted: 3, deletedBytes: 284, deletedPacks: 3 });
    assert.deepEqual(await site.present(id('a'), id('b'), id('t'), id('x'), id('u'), id('y')), [
      true,
      true,
      true,
      false,
      false,
      false,
    ]);
    assert.equal((await site.packs()).length, 2);
    await site.maintain('collect');
    assert.equal(site.result().deleted, undefined === site.result().deleted ? undefined : 0);
  });

  test('leaves alone what was sent within the last hour', async () => {
    const site = await Site.make();
    await site.backUp([data('a')]);
    await site.laterBy(HOUR / 2);
    await site.maintain('collect');
    assert.deepEqual(await site.present(id('a')), [true]);
    await site.laterBy();
    await site.maintain('collect');
    assert.deepEqual(await site.present(id('a')), [false]);
  });

  test('waits for a session that began before, and ends one that is silent', async () => {
    const site = await Site.make();
    await site.backUp([data('a')]);
    await site.laterBy();
    const restore = await site.device.open('restore');
    assert.deepEqual((await site.maintain('collect')).waiting, 1);
    assert.ok(site.events.some((event) => event.kind === 'waiting' && event.sessions === 1));
    assert.deepEqual(await site.device.has(restore, id('a')), [true], 'it still sees what it was told');
    assert.deepEqual(await site.present(id('a')), [false], 'younger sessions do not');
    assert.equal((await site.packs()).length, 1);
    await site.laterBy();
    assert.equal((await site.maintain('resume')).finished, 1);
    assert.equal((await site.packs()).length, 0);
    await assert.rejects(site.device.has(restore, id('a')), { code: 'session_ended' });
  });

  test('gives back what a snapshot needs that was committed while it waited', async () => {
    const site = await Site.make();
    await site.backUp([data('a', 'dead'), [tree('t', 'a')]]);
    await site.laterBy();
    const session = await site.device.open();
    assert.deepEqual(await site.device.has(session, id('t')), [true]);
    assert.equal((await site.maintain('collect')).waiting, 1);
    await site.device.commit(session, id('t'));
    await site.maintain('resume');
    assert.equal(site.result().rescued, 1, 'the tree lost its label at the commit, its child is rescued');
    assert.deepEqual(await site.present(id('t'), id('a'), id('dead')), [true, true, false]);
  });

  test('follows every tree of an id, so that a second one that a device plants takes nothing away', async () => {
    const site = await Site.make();
    await site.backUp([data('a', 'b'), [tree('t', 'a', 'b')]], id('t'));
    await site.backUp([data('z'), [tree('t', 'z')]]);
    await site.laterBy();
    await site.maintain('collect');
    assert.deepEqual(await site.present(id('a'), id('b')), [true, true]);
  });

  test('ends with trees that link each other', async () => {
    const site = await Site.make();
    await site.backUp([data('a')]);
    await site.backUp([[tree('t', 'a')], [tree('u', 't')], [tree('t', 'u', 'a')]], id('t'));
    await site.backUp([data('x')]);
    await site.laterBy();
    await site.maintain('collect');
    assert.deepEqual(await site.present(id('a'), id('t'), id('u'), id('x')), [true, true, true, false]);
  });

  test('marks children that came after their parents were stored', async () => {
    const site = await Site.make();
    const levels = 6;
    await site.backUp([data('leaf')]);
    for (let i = 0; i < levels; i++) await site.backUp([[tree(`t${i}`, i === 0 ? 'leaf' : `t${i - 1}`)]]);
    // The same trees once more, parents first: a pass from the newest pack down meets each child before its parent.
    for (let i = levels - 1; i >= 0; i--) await site.backUp([[tree(`t${i}`, i === 0 ? 'leaf' : `t${i - 1}`)]]);
    await site.backUp([data('dead')], id(`t${levels - 1}`));
    await site.laterBy();
    await site.maintain('collect');
    assert.deepEqual(await site.present(id('leaf'), id('t0'), id('t3'), id('dead')), [true, true, true, false]);
  });

  test('calls nothing dead when a tree that is needed cannot be read', async () => {
    const site = await Site.make();
    await site.backUp([data('a', 'b')]);
    const session = await site.device.open();
    const trees = await site.device.put(session, [tree('t', 'a')]);
    await site.device.commit(session, id('t'));
    await site.laterBy();
    const whole = await site.blobs.get(site.name(trees));
    const damaged = whole.slice();
    damaged[whole.length - 60] = (damaged[whole.length - 60] as number) ^ 1;
    await site.blobs.put(site.name(trees), damaged);
    const summary = await site.maintain('collect');
    assert.deepEqual([summary.alerts, site.alerts], [1, ['collect_unsafe']]);
    assert.equal((await site.packs()).length, 2);
    await site.backUp([[tree('t', 'a')]]);
    await site.laterBy();
    await site.maintain('collect');
    assert.deepEqual(site.alerts, [], 'the tree was stored again and can be followed');
    assert.deepEqual(await site.present(id('a'), id('b')), [true, false]);
  });

  test('raises no epoch when nothing is dead, so that devices keep what they know', async () => {
    const site = await Site.make();
    await site.backUp([data('a'), [tree('t', 'a')]], id('t'));
    await site.laterBy();
    await site.maintain('collect');
    assert.equal((await site.device.open()).epoch, 1);
  });
});
