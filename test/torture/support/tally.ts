/** What the processes of a campaign have told their witness: which named moments they died at, and which places stand in no line. */
import { existsSync, readFileSync } from 'node:fs';
import { isUnlisted } from '../faults/named.ts';

export class Tally {
  private readonly deaths = new Map<string, number>();
  /** To the scenes in which each was come to. */
  private readonly places = new Map<string, Set<string>>();

  hear(witness: string): void {
    if (existsSync(witness)) for (const line of readFileSync(witness, 'utf8').split('\n')) this.hearLine(line);
  }

  private hearLine(line: string): void {
    const what = line.slice(line.indexOf(' ') + 1);
    if (line.startsWith('died ')) this.deaths.set(what, this.hits(what) + 1);
    if (!line.startsWith('saw ')) return;
    const [scene = '', place = ''] = what.split(/: (.*)/s);
    if (isUnlisted(place)) this.places.set(place, (this.places.get(place) ?? new Set()).add(scene));
  }

  hits(moment: string): number {
    return this.deaths.get(moment) ?? 0;
  }

  /** Each with the scenes in which it was come to. */
  unlisted(): ReadonlyMap<string, ReadonlySet<string>> {
    return new Map([...this.places].sort(([a], [b]) => (a < b ? -1 : 1)));
  }
}
