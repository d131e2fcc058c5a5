import { writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** A user with two passwords in files: the one for one time, and their own, which takes its place at the first enrolment. */
export type User = { readonly name: string; readonly once: string; readonly own: string };

export function newUser(folder: string, name: string, oneTimePassword: string): User {
  const user = { name, once: join(folder, `password of ${name}`), own: join(folder, `own password of ${name}`) };
  writeFileSync(user.once, oneTimePassword, { mode: 0o600 });
  writeFileSync(user.own, `what ${name} chose`, { mode: 0o600 });
  return user;
}

/** The same for each device and each try: where the first password is void, the agent goes on with the second. */
export const whoIs = ({ name, once, own }: User): string[] => [
  '--user',
  name,
  '--password-file',
  once,
  '--new-password-file',
  own,
];
