/** A round is one bad event in a world, and the proof that nothing acknowledged was lost by it. */
import type { Random } from '../support/random.ts';
import type { World } from '../support/world.ts';

export type Round = {
  readonly name: string;
  /** How often it is drawn, in relation to the others. */
  readonly weight: number;
  /** Resolves to what happened, for the log; rejects when the promise of the product was broken. */
  run(world: World, random: Random): Promise<string>;
};
