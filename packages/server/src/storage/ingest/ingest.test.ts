import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Device } from '../testing/device.ts';
import { id } from '../testing/made.ts';
import { testArchive, testPoint } from '../testing/test-point.ts';

test('a device stores data, trees and a snapshot', async () => {
  const point = await testPoint();
  const device = new Device(point, await testArchive(point));
  const session = await device.open();
  await device.put(session, [{ id: id('a') }, { id: id('b') }]);
  await device.put(session, [{ id: id('t'), links: [id('a'), id('b')] }]);
  assert.deepEqual(await device.has(session, id('a'), id('t'), id('x')), [true, true, false]);
  await device.commit(session, id('t'));
});
