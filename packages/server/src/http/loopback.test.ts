import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isLoopbackCaller } from './loopback.ts';

const caller = (ip: string, headers: Record<string, string>) => isLoopbackCaller({ ip, headers });

test('somebody at the machine is recognized by peer and Host', () => {
  assert.ok(caller('127.0.0.1', { host: 'localhost:4280' }));
  assert.ok(caller('::ffff:127.0.0.1', { host: '127.0.0.1:4280' }));
  assert.ok(caller('::1', { host: '[::1]:4280' }));
  assert.ok(caller('127.0.0.53', { host: 'LOCALHOST' }));
});

test('anything that could be somebody else is not', () => {
  assert.ok(!caller('192.0.2.1', { host: 'localhost' }), 'another machine that says localhost');
  assert.ok(!caller('127.0.0.1', { host: 'evil.example' }), 'a page whose name leads here');
  assert.ok(!caller('127.0.0.1', { host: 'localhost.evil.example' }));
  assert.ok(!caller('127.0.0.1', { host: 'localhost', 'x-forwarded-for': '192.0.2.1' }), 'a proxy on this machine');
  assert.ok(!caller('127.0.0.1', { host: 'localhost', forwarded: 'for=192.0.2.1' }));
  assert.ok(!caller('127.0.0.1', {}));
  assert.ok(!caller('::ffff:192.0.2.1', { host: 'localhost' }));
  assert.ok(!caller('127.0.0.1', { host: '999.1.1.1' }));
});
