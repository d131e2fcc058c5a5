import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { ArchiveError, type ArchiveErrorCode } from '@holdfast/archive/errors.ts';
import { formatIdentity } from '@holdfast/archive/keys/identity.ts';
import { unwrapIdentity } from '@holdfast/archive/keys/wrap.ts';
import { type EnrollingServer, type TestDevice, testDevice } from './device-world.ts';
import type { Ran, Shell } from './run-line.ts';
import { temporary } from './temporary.ts';

/** A user whose first device, `first`, has made a backup of one letter; for tests of who can open what. */
export type KeyWorld = {
  readonly dir: string;
  readonly user: { readonly username: string; readonly password: string };
  /** Files with the password of the account, and with an archive password. */
  readonly password: string;
  readonly words: string;
  readonly first: TestDevice;
  /** Of the letter to Bob. */
  readonly snapshot: string;
  enrol(name: string, ...more: string[]): Promise<Ran & { readonly device: TestDevice }>;
};

export const WORDS = 'correct horse battery staple';

export async function keyWorld(
  t: TestContext,
  server: EnrollingServer,
  username: string,
  /** Of every device. */
  shell: Partial<Shell> = {},
): Promise<KeyWorld> {
  const dir = temporary(t);
  const user = await server.addUser(username);
  const [password, words] = [join(dir, 'password'), join(dir, 'words')];
  writeFileSync(password, user.password);
  writeFileSync(words, `${WORDS}\n`);
  const enrolment = await server.server.enrolmentString();
  const enrol = async (name: string, ...more: string[]) => {
    const device = testDevice(dir, name, shell);
    const who = ['--user', user.username, '--password-file', password, '--name', name];
    return { device, ...(await device.run('enrol', enrolment, ...who, ...more)) };
  };
  const first = (await enrol('first')).device;
  first.write('letter.txt', 'Dear Bob');
  await first.json('sets', 'add', 'home', '~');
  const { snapshotId: snapshot } = await backUp(first);
  return { dir, user, password, words, enrol, first, snapshot };
}

export const backUp = (device: TestDevice) => device.json<{ snapshotId: string }>('backup', '--set', 'home');

/** The letter in the newest snapshot of a device, as another one, or who has a store's bytes, gets it; or how that ends. */
export async function reads(device: TestDevice, of = 'first', ...how: string[]): Promise<string> {
  const to = join(device.shell.cwd, `restored-${Math.random()}`);
  const ran = await device.run('restore', '--device', of, '--set', 'home', '--to', to, ...how);
  if (ran.code !== 0) return `exit ${ran.code}`;
  return readFileSync(join(to, device.path('letter.txt').replace(/\/[^/]*\/letter.txt$/, `/${of}/letter.txt`)), 'utf8');
}

/** Where a server keeps an archive's bytes, and how a command reads them there. */
export const storeOf = (dataDir: string, archive: string) => ({
  identities: join(dataDir, 'store/archives', archive, 'identities'),
  flags: ['--store', join(dataDir, 'store'), '--archive', archive],
});

const FOR_OTHERS: ReadonlySet<string> = new Set<ArchiveErrorCode>(['wrap_unopenable', 'recipient_not_hybrid']);

/** For another key, or for a password; any other failure would pass for a wrap that does not open. */
function unlessForOthers(error: unknown): null {
  if (error instanceof ArchiveError && FOR_OTHERS.has(error.code)) return null;
  throw error;
}

/** Every identity that who holds a key and the store's bytes can get at, each in a file of the device's; its own key unless another is given. */
export async function identitiesOf(
  device: TestDevice,
  identities: string,
  ageIdentity: string = ageKeyOf(device),
): Promise<string[]> {
  const found = new Set<string>();
  for (const name of readdirSync(identities)) {
    const wrap = readFileSync(join(identities, name));
    const identity = await unwrapIdentity(wrap, { ageIdentity }).catch(unlessForOthers);
    if (identity !== null) found.add(formatIdentity(identity));
  }
  return [...found].map((text, at) => {
    const file = join(device.shell.cwd, `identity ${at}`);
    writeFileSync(file, text);
    return file;
  });
}

function ageKeyOf({ shell }: TestDevice): string {
  const device = JSON.parse(readFileSync(join(shell.home, 'state/device.json'), 'utf8')) as { keys: { age: string } };
  return device.keys.age;
}
