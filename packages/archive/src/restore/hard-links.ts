/**
 * Which names belong to the same file (format §5.2 key 14). The first name of a group that is met is restored with its content, the others wait
 * until it is there. The same number on different content is a lie, and such an entry is restored for itself.
 */
import type { TreeEntry } from '../format/tree.ts';
import { sameContent } from './lookup.ts';
import type { Spot } from './room.ts';

type Group = { readonly spot: Spot; state: 'coming' | 'there' };

/** `W`: what waits. */
export class HardLinks<W> {
  private readonly groups = new Map<number, Group>();
  private queue: W[] = [];

  get waiting(): number {
    return this.queue.length;
  }

  /** Takes it in, if there is a name of its file or one is coming. */
  wait(entry: TreeEntry, waiting: W): boolean {
    if (this.groupOf(entry) === null) return false;
    this.queue.push(waiting);
    return true;
  }

  takeWaiting(): W[] {
    return this.queue.splice(0);
  }

  /** The name of its file that is there already. */
  firstOf(entry: TreeEntry): Spot | null {
    const group = this.groupOf(entry);
    return group?.state === 'there' ? group.spot : null;
  }

  /** Content for this name is on its way. */
  begin(spot: Spot): void {
    this.set(spot, 'coming');
  }

  there(spot: Spot): void {
    this.set(spot, 'there');
  }

  /** It will not be there: the next one of the group is the first. */
  failed({ entry }: Spot): void {
    if (entry.group !== undefined && this.groups.get(entry.group)?.spot.entry === entry)
      this.groups.delete(entry.group);
  }

  private set(spot: Spot, state: Group['state']): void {
    const { group } = spot.entry;
    if (group === undefined) return;
    const known = this.groups.get(group);
    if (known === undefined) this.groups.set(group, { spot, state });
    else if (known.spot.entry === spot.entry) known.state = state;
  }

  private groupOf(entry: TreeEntry): Group | null {
    const known = entry.group === undefined ? undefined : this.groups.get(entry.group);
    return known !== undefined && sameContent(known.spot.entry, entry) ? known : null;
  }
}
