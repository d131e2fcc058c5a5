import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { connect } from 'node:tls';
import { pino } from 'pino';
import { hasFailedJob } from './authority/job-failures.ts';
import { serverCertificate } from './authority/keyring/keystore.ts';
import { makeKit } from './authority/keyring/kit.ts';
import { loadConfig } from './config.ts';
import { openFoundation } from './foundation.ts';
import { createApp } from './http/app.ts';
import { listen } from './http/listen.ts';
import { makeDump, noted, renewCertificate } from './jobs.ts';

const DAY = 86_400_000;
const directory = mkdtempSync(join(tmpdir(), 'holdfast-jobs-'));
after(() => rmSync(directory, { recursive: true, force: true }));
const log = pino({ level: 'silent' });

/** The serial number of the certificate that a new connection gets. */
function serialAt(port: number): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect({ port, host: '127.0.0.1', servername: 'localhost', rejectUnauthorized: false });
    socket.once('error', reject);
    socket.once('secureConnect', () => {
      resolve(socket.getPeerCertificate().serialNumber);
      socket.destroy();
    });
  });
}

test('a running server shows its new certificate without a restart', async () => {
  let now = Date.now();
  const config = loadConfig({ data: directory }, {});
  const foundation = await openFoundation(config, { create: true, now: () => now });
  const names = ['localhost'];
  const { certificate, key } = await serverCertificate(foundation.keystore, names, now);
  const https = createApp({ log, tls: { cert: certificate, key } });
  const port = await listen(https, { host: '127.0.0.1', port: 0 });
  try {
    const first = await serialAt(port);
    await renewCertificate({ foundation, https, names, log });
    assert.equal(await serialAt(port), first);
    now += 300 * DAY;
    await renewCertificate({ foundation, https, names, log });
    assert.notEqual(await serialAt(port), first);
  } finally {
    await https.close();
    await foundation.close();
  }
});

test('a job that failed is known to health until it, or a command in its place, has done its work', async () => {
  const config = loadConfig({ data: join(directory, 'noted') }, {});
  const foundation = await openFoundation(config, { create: true, now: Date.now });
  const { context, keystore } = foundation;
  const hasFailed = () => hasFailedJob(context.database.kysely);
  const fail = () => Promise.reject(new Error('no space'));
  try {
    await assert.rejects(noted({ foundation }, 'dump', fail), /no space/);
    await noted({ foundation }, 'tidy', async () => {});
    assert.equal(await hasFailed(), true, 'another job has nothing to do with it');
    await noted({ foundation }, 'dump', async () => {});
    assert.equal(await hasFailed(), false);

    await assert.rejects(noted({ foundation }, 'dump', fail), /no space/);
    await makeKit(keystore, config.kitFile, { now: context.now(), random: context.random });
    await makeDump(config, foundation);
    assert.equal(await hasFailed(), false);
  } finally {
    await foundation.close();
  }
});
