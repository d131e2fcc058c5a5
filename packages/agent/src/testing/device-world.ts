import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { type Ran, type RunOptions, runWords, type Shell } from './run-line.ts';

/** A device for tests: a home with files, a state folder, and command lines run on it. */
export type TestDevice = {
  readonly shell: Shell;
  readonly userHome: string;
  path(name: string): string;
  write(name: string, content: string | Uint8Array): void;
  run(...words: string[]): Promise<Ran>;
  runWith(options: RunOptions, ...words: string[]): Promise<Ran>;
  /** The document that a command prints with --json; throws with all it said unless it ends with `code`. */
  json<T>(...words: string[]): Promise<T>;
};

export function testDevice(dir: string, name: string, shell: Partial<Shell> = {}): TestDevice {
  const userHome = join(dir, name);
  const cwd = join(dir, `${name}-cwd`);
  for (const folder of [userHome, cwd]) mkdirSync(folder, { recursive: true });
  const full: Shell = { home: join(dir, `${name}-state`), userHome, cwd, ...shell };
  const run = (...words: string[]) => runWords(full, words);
  return {
    shell: full,
    userHome,
    path: (file) => join(userHome, file),
    write(file, content) {
      mkdirSync(dirname(join(userHome, file)), { recursive: true });
      writeFileSync(join(userHome, file), content);
    },
    run,
    runWith: (options, ...words) => runWords(full, words, options),
    async json<T>(...words: string[]) {
      const { code, stdout, stderr } = await run(...words, '--json');
      if (code !== 0) throw new Error(`${words.join(' ')}: exit ${code}\n${stdout}${stderr}`);
      return JSON.parse(stdout.trim().split('\n').at(-1) ?? '') as T;
    },
  };
}
