/**
 * The two programs as they are shipped (bundle.ts), made once for each state of their source. They start in half the time that the
 * source takes, which counts where tests start them hundreds of times.
 */
import { createHash } from 'node:crypto';
import { existsSync, globSync, mkdirSync, mkdtempSync, renameSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { bundle } from './bundle.ts';
import { type Programs, ROOT } from './processes.ts';

const CACHE = join(ROOT, 'node_modules/.cache/holdfast-programs');
const MADE_OF = ['packages/*/src/**/*.ts', 'packages/*/bin/*.mjs', 'package-lock.json', 'scripts/bundle.ts'];

export async function builtPrograms(): Promise<Programs> {
  const folder = join(CACHE, stateOfSource());
  if (!existsSync(folder)) await build(folder);
  return {
    holdfast: join(folder, 'agent/bin/holdfast.mjs'),
    holdfastServer: join(folder, 'server/bin/holdfast-server.mjs'),
  };
}

function stateOfSource(): string {
  const hash = createHash('sha256');
  for (const path of globSync(MADE_OF, { cwd: ROOT }).sort()) {
    const { size, mtimeMs } = statSync(join(ROOT, path));
    hash.update(`${path} ${size} ${mtimeMs}\n`);
  }
  return hash.digest('hex').slice(0, 16);
}

/** Test files begin side by side: who comes second finds it there, and both have the same. */
async function build(folder: string): Promise<void> {
  mkdirSync(CACHE, { recursive: true });
  const own = mkdtempSync(join(CACHE, 'new-'));
  try {
    await bundle(own);
    renameSync(own, folder);
  } catch (error) {
    if (!existsSync(folder)) throw error;
  } finally {
    rmSync(own, { recursive: true, force: true });
  }
}
