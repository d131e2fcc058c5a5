import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { connect } from 'node:net';
import { describe, it, type TestContext } from 'node:test';
import { exitCodeOf } from '../cli/exit-codes.ts';
import { AgentError } from '../errors.ts';
import { temporaryHome } from '../testing/temporary.ts';
import { callDaemon, type Handlers, serveControl } from './control.ts';
import type { Status } from './status.ts';

const STATUS = { version: 'x', device: null, daemon: null, pause: null, renewal: null, sets: [] } satisfies Status;

const IDLE: Handlers = { status: () => STATUS, standing: async () => {}, reload: () => {}, backup: async () => null };

async function serving(t: TestContext, handlers: Partial<Handlers> = {}) {
  const home = temporaryHome(t);
  const all: Handlers = { ...IDLE, ...handlers };
  const server = await serveControl(home, all);
  t.after(() => server.close());
  return home;
}

const BACKUP = { do: 'backup', sets: ['a'], allFolders: false, gentle: true } as const;

describe('a command and the running service', () => {
  it('talk through the state folder', async (t) => {
    const home = await serving(t);
    assert.deepEqual(await callDaemon(home, { do: 'status' }), { result: STATUS });
  });

  it('find out that no service runs, also after one was killed', async (t) => {
    const home = temporaryHome(t);
    assert.equal(await callDaemon(home, { do: 'status' }), null);
    const source = `
      const { serveControl } = await import(${JSON.stringify(new URL('./control.ts', import.meta.url).href)});
      await serveControl({ control: ${JSON.stringify(home.control)} }, {});
      process.kill(process.pid, 'SIGKILL');`;
    spawnSync(process.execPath, ['--input-type=module', '-e', source]);
    assert.equal(await callDaemon(home, { do: 'status' }), null);
    const server = await serveControl(home, IDLE);
    assert.ok(await callDaemon(home, { do: 'status' }));
    await server.close();
  });

  it('pass events before the result', async (t) => {
    const home = await serving(t, {
      backup: async (request, onEvent) => {
        onEvent({ n: 1 });
        onEvent({ n: 2 });
        return request;
      },
    });
    const events: unknown[] = [];
    assert.deepEqual(await callDaemon(home, BACKUP, (event) => events.push(event)), { result: BACKUP });
    assert.deepEqual(events, [{ n: 1 }, { n: 2 }]);
  });

  it('pass what failed with its code, so that the exit code is the same', async (t) => {
    const home = await serving(t, {
      backup: async () => {
        throw new AgentError('set_unknown', { what: 'No set is called "x"', data: { name: 'x' } });
      },
    });
    const error = await callDaemon(home, BACKUP).catch((caught: unknown) => caught);
    assert.match(String(error), /No set is called/);
    assert.equal(exitCodeOf(error), 2);
    assert.deepEqual((error as AgentError).data, { name: 'x' });
  });

  it('stop a backup when the command goes away', async (t) => {
    const stopped = Promise.withResolvers<unknown>();
    const begun = Promise.withResolvers<void>();
    const home = await serving(t, {
      backup: (_request, _onEvent, signal) => {
        begun.resolve();
        return new Promise((_resolve, reject) => {
          signal.addEventListener('abort', () => {
            stopped.resolve(signal.reason);
            reject(signal.reason as Error);
          });
        });
      },
    });
    const controller = new AbortController();
    const called = callDaemon(home, BACKUP, () => {}, controller.signal);
    await begun.promise;
    controller.abort(new AgentError('interrupted'));
    await assert.rejects(called, { code: 'interrupted' });
    assert.equal(((await stopped.promise) as AgentError).code, 'interrupted');
  });

  it('survive nonsense', async (t) => {
    const home = await serving(t);
    const socket = connect(home.control);
    socket.write('nonsense\n');
    const [answer] = await Array.fromAsync(socket as AsyncIterable<Buffer>);
    assert.match(String(answer), /"failed"/);
    const unknown = { do: 'dance' } as unknown as { do: 'status' };
    await assert.rejects(callDaemon(home, unknown), { code: 'usage' });
    assert.ok(await callDaemon(home, { do: 'status' }));
  });

  it('end when the service does', async (t) => {
    const home = temporaryHome(t);
    const begun = Promise.withResolvers<void>();
    const server = await serveControl(home, {
      ...IDLE,
      backup: (_request, _onEvent, signal) => {
        begun.resolve();
        return new Promise((_resolve, reject) =>
          signal.addEventListener('abort', () => reject(signal.reason as Error)),
        );
      },
    });
    const called = callDaemon(home, BACKUP);
    await begun.promise;
    await server.close();
    await assert.rejects(called, { code: 'daemon_lost' });
  });
});
