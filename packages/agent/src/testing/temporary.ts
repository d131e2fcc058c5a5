import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type describeHome, type Home, openHome } from '../state/home.ts';

/** A folder for one test, gone afterwards. */
export function temporary(t: { after(fn: () => void): void }): string {
  const dir = mkdtempSync(join(tmpdir(), 'holdfast-agent-'));
  t.after(() => rmSync(dir, { recursive: true, force: true }));
  return dir;
}

/** A state folder for one test. */
export function temporaryHome(t: { after(fn: () => void): void }): Home {
  return openHome(homeConfig(join(temporary(t), 'home')));
}

export const homeConfig = (home: string): Parameters<typeof describeHome>[0] => ({
  home,
  platform: process.platform,
  runtimeDir: null,
});
