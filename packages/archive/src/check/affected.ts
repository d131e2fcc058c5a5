// Which snapshots need the chunks that something was found about, and by which paths. Only runs when there are findings, and reads the structure again:
// to remember every link of a sound archive would cost memory that nobody needs.
//
//   first walk:   number all structure; note child -> parent for each link, and which structure holds a finding itself
//                 spread from the findings to the parents until nothing is added
//   second walk:  only what was reached; note the names of the links that lead on
//   then:         for each root, collect paths by what its children collected

import { IdRows } from '../endpoint/id-rows.ts';
import { equalBytes, toHex } from '../format/ids.ts';
import type { VerifiedSnapshot } from '../keys/snapshot.ts';
import { joinPath } from '../restore/path.ts';
import type { SessionReader } from '../restore/session-reader.ts';
import { type Need, type Structure, treeStructure } from './chunk-links.ts';
import type { Affected } from './problem.ts';
import { walkStructure } from './walk-structure.ts';

/** Paths given for one finding in one snapshot. */
export const MAX_PATHS = 5;

/** The finding's number -> paths, relative to the structure that holds them. */
type Hits = ReadonlyMap<number, readonly Uint8Array[]>;
/** A link that leads to a finding. */
type Lead = { readonly name: Uint8Array | null } & ({ readonly finding: number } | { readonly child: Uint8Array });

const NO_NAME = new Uint8Array(0);

/** For each of `ids`, in their order. */
export async function affectedBy(
  ids: readonly Uint8Array[],
  snapshots: readonly VerifiedSnapshot[],
  reader: Pick<SessionReader, 'stream'>,
  signal?: AbortSignal,
): Promise<Affected[][]> {
  const findings = new Map(ids.map((id, number) => [toHex(id), number]));
  const roots = snapshots.map(({ envelope }) => treeStructure(envelope.root));
  const reaches = await structureThatReaches(findings, roots, reader, signal);
  const leads = await leadsBelow(findings, roots, reaches, reader, signal);
  const hitsOf = collector(findings, leads);
  const affected: Affected[][] = ids.map(() => []);
  for (const { id, envelope } of snapshots) {
    for (const [finding, paths] of hitsOf(envelope.root)) affected[finding]?.push({ snapshotId: id, paths });
  }
  return affected;
}

const idOf = (need: Need): Uint8Array => ('structure' in need ? need.structure.id : need.content.id);

async function structureThatReaches(
  findings: ReadonlyMap<string, number>,
  roots: readonly Structure[],
  reader: Pick<SessionReader, 'stream'>,
  signal: AbortSignal | undefined,
): Promise<(id: Uint8Array) => boolean> {
  const numbers = new IdRows(1);
  const numberOf = (id: Uint8Array): number => {
    const known = numbers.find(id);
    return known === -1 ? numbers.append(id, findings.has(toHex(id)) ? 1 : 0) : known;
  };
  const links = new Pairs();
  const onNeeds = (parent: Structure, needs: readonly Need[]): void => {
    const number = numberOf(parent.id);
    for (const need of needs) {
      if ('structure' in need) links.push(numberOf(need.structure.id), number);
      else if (findings.has(toHex(need.content.id))) numbers.setWord(number, 0, 1);
    }
  };
  for (const { id } of roots) numberOf(id);
  await walkStructure(reader, roots, { onNeeds, onFinding: () => undefined }, signal);
  for (let changed = true; changed; ) {
    changed = false;
    links.each((child, parent) => {
      if (numbers.word(child, 0) === 0 || numbers.word(parent, 0) === 1) return;
      numbers.setWord(parent, 0, 1);
      changed = true;
    });
  }
  return (id) => {
    const number = numbers.find(id);
    return number !== -1 && numbers.word(number, 0) === 1;
  };
}

async function leadsBelow(
  findings: ReadonlyMap<string, number>,
  roots: readonly Structure[],
  reaches: (id: Uint8Array) => boolean,
  reader: Pick<SessionReader, 'stream'>,
  signal: AbortSignal | undefined,
): Promise<ReadonlyMap<string, readonly Lead[]>> {
  const leads = new Map<string, readonly Lead[]>();
  const leadOf = (need: Need): Lead[] => {
    const id = idOf(need);
    const name = need.name?.slice() ?? null;
    const finding = findings.get(toHex(id));
    if (finding !== undefined) return [{ name, finding }];
    return 'structure' in need && reaches(id) ? [{ name, child: id.slice() }] : [];
  };
  const onNeeds = (parent: Structure, needs: readonly Need[]): void =>
    void leads.set(toHex(parent.id), needs.flatMap(leadOf));
  const skip = ({ id }: Structure): boolean => !reaches(id);
  await walkStructure(reader, roots, { onNeeds, onFinding: () => undefined, skip }, signal);
  return leads;
}

/** Answers what is hit below a root. Children are done before their parents, without recursion: a tree may be thousands deep. */
function collector(
  findings: ReadonlyMap<string, number>,
  leads: ReadonlyMap<string, readonly Lead[]>,
): (root: Uint8Array) => Hits {
  const done = new Map<string, Hits>();
  for (const [hex, finding] of findings) done.set(hex, new Map([[finding, [NO_NAME]]]));
  return (root) => {
    const stack = [toHex(root)];
    for (let id = stack.at(-1); id !== undefined; id = stack.at(-1)) {
      const below = leads.get(id) ?? [];
      const open = done.has(id) ? [] : childrenOf(below).filter((child) => !done.has(child));
      if (open.length > 0) {
        stack.push(...open);
        continue;
      }
      if (!done.has(id)) done.set(id, joined(below, done));
      stack.pop();
    }
    return done.get(toHex(root)) as Hits;
  };
}

const childrenOf = (leads: readonly Lead[]): string[] =>
  leads.flatMap((lead) => ('child' in lead ? [toHex(lead.child)] : []));

function joined(leads: readonly Lead[], done: ReadonlyMap<string, Hits>): Hits {
  const hits = new Map<number, Uint8Array[]>();
  const add = (finding: number, path: Uint8Array): void => {
    const paths = hits.get(finding) ?? [];
    hits.set(finding, paths);
    if (paths.length < MAX_PATHS && !paths.some((known) => equalBytes(known, path))) paths.push(path);
  };
  for (const lead of leads) {
    const name = lead.name ?? NO_NAME;
    if ('finding' in lead) {
      add(lead.finding, name);
      continue;
    }
    for (const [finding, paths] of done.get(toHex(lead.child)) ?? [])
      for (const path of paths) add(finding, path.length === 0 ? name : joinPath(name, path));
  }
  return hits;
}

/** Pairs of numbers, 8 bytes each. */
class Pairs {
  private values = new Uint32Array(1024);
  private length = 0;

  push(a: number, b: number): void {
    if (this.length === this.values.length) {
      const larger = new Uint32Array(this.length * 2);
      larger.set(this.values);
      this.values = larger;
    }
    this.values[this.length++] = a;
    this.values[this.length++] = b;
  }

  /** Last first: what a walk down added later lies deeper, so going upwards spreads far at once. */
  each(use: (a: number, b: number) => void): void {
    for (let i = this.length - 2; i >= 0; i -= 2) use(this.values[i] as number, this.values[i + 1] as number);
  }
}
