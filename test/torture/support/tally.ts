/** What the processes of a campaign have told their witness: which named moments they died at, and which places have no name. */
import { existsSync, readFileSync } from 'node:fs';
import { isUnnamed } from '../faults/named.ts';

export class Tally {
  private readonly deaths = new Map<string, number>();
  private readonly places = new Set<string>();

  hear(witness: string): void {
    if (!existsSync(witness)) return;
    for (const line of readFileSync(witness, 'utf8').split('\n')) {
      const what = line.slice(line.indexOf(' ') + 1);
      if (line.startsWith('died ')) this.deaths.set(what, this.hits(what) + 1);
      if (line.startsWith('saw ') && isUnnamed(what)) this.places.add(what);
    }
  }

  hits(moment: string): number {
    return this.deaths.get(moment) ?? 0;
  }

  unnamed(): string[] {
    return [...this.places].sort();
  }
}
