// What the bytes of one pack say: is it what its name says, and what lies where in it. In this thread or in another one, see
// check-threads.ts.

import { equalBytes } from '@holdfast/archive/format/ids.ts';
import { PackStream } from '@holdfast/archive/format/pack-stream.ts';
import { type Places, placesOf } from '../index/places.ts';
import { isDamage, newSha256 } from '../pack-tables.ts';

export type PackToCheck = { readonly archiveId: Uint8Array; readonly packId: Uint8Array };

/** Whoever checks one pack at a time; null for one that is not exactly what its name says. The slices are its own from then on. */
export type PackChecker = {
  check(pack: PackToCheck, slices: AsyncIterable<Uint8Array>): Promise<Places | null>;
};

export class PackCheck {
  private readonly pack: PackToCheck;
  private readonly stream: PackStream;
  private isSound = true;

  constructor(pack: PackToCheck) {
    this.pack = pack;
    this.stream = new PackStream(pack.archiveId, newSha256);
  }

  /** False once there was a byte that cannot be right; the rest needs not be read. */
  push(slice: Uint8Array): boolean {
    return this.soundly(() => void this.stream.push(slice));
  }

  /** After the last slice. */
  end(): Places | null {
    let places: Places | null = null;
    this.soundly(() => {
      const { packId, frames } = this.stream.end();
      if (equalBytes(packId, this.pack.packId)) places = placesOf(frames);
    });
    return places;
  }

  private soundly(work: () => void): boolean {
    if (!this.isSound) return false;
    try {
      work();
    } catch (error) {
      if (!isDamage(error)) throw error;
      this.isSound = false;
    }
    return this.isSound;
  }
}

/** In this thread. */
export const checkHere: PackChecker = {
  async check(pack, slices) {
    const check = new PackCheck(pack);
    for await (const slice of slices) if (!check.push(slice)) return null;
    return check.end();
  },
};
