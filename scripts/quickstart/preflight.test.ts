import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { type AddressInfo, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { freePorts, ROOT } from '../processes.ts';

type Ended = { code: number; stdout: string; stderr: string };

function quickstart(...words: string[]): Promise<Ended> {
  return new Promise((resolve) => {
    execFile(process.execPath, [join(ROOT, 'scripts/quickstart.ts'), ...words], (error, stdout, stderr) =>
      resolve({ code: typeof error?.code === 'number' ? error.code : 0, stdout, stderr }),
    );
  });
}

describe('the quickstart', () => {
  function world(t: TestContext) {
    const dir = mkdtempSync(join(tmpdir(), 'holdfast-quickstart-'));
    t.after(() => rmSync(dir, { recursive: true, force: true }));
    mkdirSync(join(dir, 'folder'));
    writeFileSync(join(dir, 'file'), '');
    return dir;
  }

  it('refuses what cannot work before it starts or writes anything, and says what to do', async (t) => {
    const dir = world(t);
    const { http } = await freePorts();
    const taken = createServer().listen(0, '127.0.0.1');
    t.after(() => taken.close());
    await new Promise((resolve) => taken.once('listening', resolve));
    const busy = (taken.address() as AddressInfo).port;
    const [data, folder, file] = ['data', 'folder', 'file'].map((name) => join(dir, name)) as [string, string, string];
    const free = ['--port-base', `${http}`];
    const wrong: readonly (readonly [RegExp, ...string[]])[] = [
      [/does not exist\. Name a folder/, ...free, '--data', data, '--folder', join(dir, 'nothing')],
      [/is not a folder\. Name/, ...free, '--data', data, '--folder', file],
      [/holds .* where everything is kept\. .*--data DIR/, ...free, '--data', join(folder, 'data'), '--folder', folder],
      [/is not a folder\. Name another/, ...free, '--folder', folder, '--data', join(file, 'data')],
      [/Port \d+ is in use.* --port-base N/, '--port-base', `${busy}`, '--folder', folder, '--data', data],
      [/nonsense/, '--nonsense'],
      [/--port-base is a number/, '--port-base', 'eighty'],
    ];
    for (const [says, ...words] of wrong) {
      const { code, stdout, stderr } = await quickstart(...words);
      assert.match(stderr, says);
      assert.deepEqual([code, stdout], [2, ''], words.join(' '));
      assert.ok(!existsSync(data) && !existsSync(join(folder, 'data')), 'nothing is written');
    }
  });
});
