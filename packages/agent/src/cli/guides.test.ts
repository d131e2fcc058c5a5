import assert from 'node:assert/strict';
import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { startTestServer } from '@holdfast/server/testing/test-server.ts';
import { runLine, type Shell } from '../testing/run-line.ts';
import { temporary } from '../testing/temporary.ts';

const GUIDES = ['enrol', 'backup', 'restore', 'recovery'] as const;

/** The lines of the blocks that begin with ```sh, as they stand; ```sh norun is for what needs a whole machine. */
function linesOf(guide: string): string[] {
  const text = readFileSync(new URL(`../../../../docs/guide/${guide}.md`, import.meta.url), 'utf8');
  const blocks = [...text.matchAll(/^ *```sh\n([\s\S]*?)^ *```$/gm)].map((match) => match[1]!);
  return blocks.flatMap((block) => block.split('\n').map((line) => line.trim())).filter((line) => line !== '');
}

describe('the guides', () => {
  it('hold commands that work, one after the other', async (t) => {
    let now = Date.now() - 49 * 3_600_000;
    const server = await startTestServer({ now: () => now });
    t.after(() => server.close());
    const dir = temporary(t);
    const [userHome, cwd] = [join(dir, 'ada'), join(dir, 'here')];
    for (const folder of ['Documents', 'work', 'Pictures']) mkdirSync(join(userHome, folder), { recursive: true });
    mkdirSync(cwd);
    writeFileSync(join(userHome, 'Documents/letter.txt'), 'Dear Bob');
    writeFileSync(join(cwd, 'password.txt'), (await server.addNewcomer('ada')).password);
    writeFileSync(join(cwd, 'new-password.txt'), 'a password of her own');
    writeFileSync(join(cwd, 'archive-password.txt'), 'correct horse battery staple');
    const env = { ENROLMENT: await server.server.enrolmentString() };
    const shell: Shell = { home: join(dir, 'state'), userHome, cwd, env, now: () => now };

    for (const guide of GUIDES) {
      for (const line of linesOf(guide)) {
        // Asks for what the next one gives, so it cannot run without a person
        if (line === 'npx holdfast enrol "$ENROLMENT"') continue;
        if (line.startsWith('mv ')) {
          const [, from = '', to = ''] = line.split(' ');
          renameSync(join(cwd, from), join(cwd, to));
          continue;
        }
        const words = line.replace(/^npx /, '').replace('/mnt/store', join(server.config.dataDir, 'store'));
        const { code, stdout, stderr } = await runLine(shell, words);
        assert.equal(code, 0, `${guide}: ${line}\n${stdout}${stderr}`);
      }
      if (guide === 'backup') {
        assert.equal((await runLine(shell, 'holdfast backup')).code, 0);
        now += 49 * 3_600_000;
      }
    }
    assert.equal(readFileSync(join(cwd, 'restored/letter.txt'), 'utf8'), 'Dear Bob');
    assert.ok(existsSync(join(cwd, 'rescued', userHome, 'Documents/letter.txt')));
  });
});
