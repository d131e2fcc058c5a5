import { randomBytes } from 'node:crypto';
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

/** What of a server a test device needs; the whole of it is not the agent's to know. */
export type EnrollingServer = {
  readonly server: { readonly enrolmentString: () => Promise<string> };
  addUser(username: string): Promise<{ readonly username: string; readonly password: string }>;
};

/** The device of a new user, with one set, `home`, of one letter. */
export async function enrolledDevice(
  dir: string,
  to: EnrollingServer,
  shell: Partial<Shell> = {},
): Promise<TestDevice> {
  const user = await to.addUser(`user-${randomBytes(4).toString('hex')}`);
  const password = join(dir, 'password');
  writeFileSync(password, user.password);
  const device = testDevice(dir, 'laptop', shell);
  const string = await to.server.enrolmentString();
  await device.json('enrol', string, '--user', user.username, '--password-file', password);
  device.write('letter.txt', 'Dear Bob');
  await device.json('sets', 'add', 'home', '~');
  return device;
}
