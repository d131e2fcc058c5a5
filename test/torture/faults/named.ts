/**
 * The scenarios in which a program dies at a named place (places.ts), and the places of each: places.txt, a line for each, which
 * a campaign with `--learn` keeps. A step that the product gains needs no line: a campaign that comes to a place which stands in no
 * line tries its scenarios until the program has died there too.
 */
import { readFileSync, writeFileSync } from 'node:fs';

/** What dies in each. */
export const PROGRAM_OF = {
  firstStart: 'start',
  ingest: 'start',
  enrolling: 'start',
  hourly: 'start',
  serverInRenewal: 'start',
  serverInHealing: 'start',
  maintain: 'maintain',
  findingDamage: 'maintain',
  enable: 'maintain',
  backup: 'backup',
  backupWithoutCache: 'backup',
  renewal: 'backup',
  healing: 'backup',
  daemon: 'run',
  restore: 'restore',
  restoreAgain: 'restore',
  restoreAfterEnrolment: 'restore',
  restoreOfDamage: 'restore',
  enrol: 'enrol',
  join: 'enrol',
  reindex: 'reindex',
  recover: 'recover',
  dump: 'dump',
} as const satisfies Record<string, string>;

export type ScenarioName = keyof typeof PROGRAM_OF;
export type NamedPlace = { readonly scenario: ScenarioName; readonly place: string };

export const SCENARIOS = Object.keys(PROGRAM_OF) as readonly ScenarioName[];
const LIST = new URL('places.txt', import.meta.url);
const PROGRAMS: ReadonlySet<string> = new Set(Object.values(PROGRAM_OF));

export const lineOf = ({ scenario, place }: NamedPlace): string => `${scenario}: ${place}`;

/** Throws for a line of a scenario that is not there. */
export function parsePlaces(text: string): NamedPlace[] {
  return text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => {
      const [scenario = '', place] = line.split(/: (.*)/s);
      if (!isScenario(scenario) || place === undefined) throw new Error(`places.txt: "${line}" names no scenario`);
      return { scenario, place };
    });
}

export const isScenario = (name: string): name is ScenarioName => Object.hasOwn(PROGRAM_OF, name);

export const NAMED: readonly NamedPlace[] = parsePlaces(readFileSync(LIST, 'utf8'));
const LISTED: ReadonlySet<string> = new Set(NAMED.map(({ scenario, place }) => `${PROGRAM_OF[scenario]} ${place}`));

/** Of a program that dies in some scenario, and in no line. `seen` begins with the program. */
export function isUnlisted(seen: string): boolean {
  return PROGRAMS.has(programOf(seen)) && !LISTED.has(seen);
}

const programOf = (seen: string): string => seen.slice(0, seen.indexOf(' '));

/** Where to try to die there: first the scenarios in which it was come to, then the others of its program. */
export function waysTo(seen: string, scenes: ReadonlySet<string>): NamedPlace[] {
  const place = seen.slice(seen.indexOf(' ') + 1);
  const fitting = SCENARIOS.filter((scenario) => PROGRAM_OF[scenario] === programOf(seen));
  const byRank = fitting.sort((a, b) => Number(scenes.has(b)) - Number(scenes.has(a)));
  return byRank.map((scenario) => ({ scenario, place }));
}

export function learnPlaces(found: readonly NamedPlace[]): void {
  const lines = new Set([...NAMED, ...found].map(lineOf));
  writeFileSync(
    LIST,
    [...lines]
      .sort()
      .map((line) => `${line}\n`)
      .join(''),
  );
}
