/**
 * What stands in a folder by the account of programs that know nothing of us: `find` tells names, types, modes, owners, times, links
 * and sizes; `tar` reads content, holes, attributes and access lists. Two folders are equal when both say the same of them.
 */
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';

export const HAS_WITNESSES: boolean = isThere('find', 'GNU findutils') && isThere('tar', 'GNU tar');

function isThere(program: string, maker: string): boolean {
  try {
    return execFileSync(program, ['--version'], { encoding: 'utf8' }).includes(maker);
  } catch {
    return false;
  }
}

/** What each of them says of each entry, a line for a fact. Sockets are passed over: no backup holds them. */
export function witness(folder: string): string[] {
  return [...listed(folder), ...archived(folder)];
}

/** Path, type, mode, owner, time to the nanosecond, target of a link. */
const FACTS = '%P\t%y\t%m\t%U:%G\t%T@\t%l';

function listed(folder: string): string[] {
  const found = (tests: readonly string[], facts: string): string[] =>
    execFileSync('find', [folder, ...tests, '-printf', `${facts}\\0`], { maxBuffer: 1 << 28 })
      .toString('latin1')
      .split('\0');
  // The number of links of a directory depends on the file system
  const entries = found(['!', '-type', 's', '!', '-type', 'd'], `${FACTS}\t%n`);
  return [...entries, ...found(['-type', 'd'], FACTS), ...found(['-type', 'f'], '%P\t%s')];
}

const TAR = [
  ...['--create', '--sort=name', '--format=posix', '--numeric-owner', '--sparse', '--sparse-version=0.0'],
  ...['--xattrs', '--xattrs-include=*', '--acls'],
  // Else, and in later versions of sparse files, names of headers hold tar's process id; reading changes some times
  '--pax-option=exthdr.name=%d/PaxHeaders/%f,delete=atime,delete=ctime',
];

/** A line for each entry, with a hash of all that tar finds of it. */
function archived(folder: string): string[] {
  // It says that it leaves sockets out
  const bytes = execFileSync('tar', [...TAR, '--directory', folder, '.'], {
    maxBuffer: 1 << 30,
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  return [...members(bytes)].map(({ name, records, content }) => {
    const hash = createHash('sha256');
    for (const part of [...records, content]) hash.update(part);
    return `${name}\t${hash.digest('hex')}`;
  });
}

type Member = { readonly name: string; readonly records: readonly string[]; readonly content: Buffer };

const BLOCK = 512;

/** The entries of a POSIX archive. Their records are sorted: no order among extended attributes is promised to anybody. */
function* members(bytes: Buffer): Generator<Member> {
  let records: string[] = [];
  for (let at = 0; at < bytes.length; ) {
    const header = bytes.subarray(at, at + BLOCK);
    const size = Number.parseInt(header.toString('latin1', 124, 136), 8);
    const content = bytes.subarray(at + BLOCK, at + BLOCK + size);
    const type = header.toString('latin1', 156, 157);
    at += BLOCK * (1 + Math.ceil(size / BLOCK));
    if (type === '\0') return; // the end
    if (type === 'x') records = [...recordsIn(content)].sort();
    else {
      const path = records.find((record) => record.startsWith('path='))?.slice(5);
      const name = path ?? header.toString('latin1', 0, 100).replace(/\0.*$/s, '');
      yield { name, records: [...records, header.toString('latin1')], content };
      records = [];
    }
  }
}

/** `LENGTH KEY=VALUE\n`, again and again; the length counts itself. */
function* recordsIn(content: Buffer): Generator<string> {
  for (let at = 0; at < content.length; ) {
    const space = content.indexOf(' ', at);
    const length = Number(content.toString('latin1', at, space));
    yield content.toString('latin1', space + 1, at + length - 1);
    at += length;
  }
}
