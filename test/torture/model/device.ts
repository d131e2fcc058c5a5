/** A device of the model: its tree, its two backup sets, and what it is doing. */
import { join } from 'node:path';
import type { Actor } from '../../../packages/server/src/storage/testing/actor.ts';
import type { Random } from '../support/random.ts';
import { DESTINATION, type DeviceIdentity, type Site } from './site.ts';
import { changedIn, changedTree, firstTree, type Tree } from './tree.ts';
import { Writer, type WriterState } from './writing.ts';

const WHOLE_SET = new Uint8Array(16).fill(2);

export class Device {
  readonly identity: DeviceIdentity;
  readonly wholeSet: Uint8Array = WHOLE_SET;
  /** Where the engine keeps its cache. */
  readonly cacheDir: string;
  readonly writer: Writer;
  /** What is under way with its storage; it does one thing at a time. */
  doing: Actor<unknown> | null = null;
  tree: Tree;
  /** As its disk was after earlier backups. */
  private readonly images: Image[] = [];

  constructor(site: Site, name: string, random: Random, folder: string) {
    this.identity = site.device(name, random);
    this.cacheDir = join(folder, `cache-${name}`);
    this.tree = firstTree(random.fork(`tree of ${name}`));
    this.writer = new Writer({
      keys: site.keys,
      crypto: site.crypto,
      sign: this.identity.sign,
      deviceId: this.identity.id,
      setId: new Uint8Array(16).fill(1),
      destinationId: DESTINATION,
      now: () => site.point.clock.now,
    });
  }

  /** Changes one directory, or just `only` this one in it. */
  changeIn(top: string, random: Random, only?: readonly string[]): void {
    this.tree = changedIn(this.tree, top, random, only);
  }

  change(random: Random): void {
    const earlier = this.images.map(({ tree }) => tree);
    this.tree = changedTree(this.tree, earlier, random);
  }

  /** After a backup of this tree. */
  remember(tree: Tree): void {
    this.images.push({ tree, state: this.writer.state });
    if (this.images.length > REMEMBERED) this.images.shift();
  }

  /** The newest image; nothing happens to it when more come. */
  get newestImage(): Image | undefined {
    return this.images.at(-1);
  }

  /** Its disk becomes what it was once: what it knows of the archive is of that time. */
  setBack(random: Random, image: Image = random.pick(this.images)): void {
    this.tree = image.tree;
    this.writer.state = image.state;
  }

  get hasImage(): boolean {
    return this.images.length > 0;
  }
}

export type Image = { readonly tree: Tree; readonly state: WriterState };

const REMEMBERED = 6;
