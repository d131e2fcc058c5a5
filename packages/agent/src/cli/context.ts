import type { Config } from '../config.ts';
import type { Time } from '../limits/token-bucket.ts';
import { type Home, openHome } from '../state/home.ts';
import type { Output } from './output.ts';

/** What a command gets of the world: everything that it may read, write, ask or wait for. */
export type Context = {
  readonly config: Config;
  readonly out: Output;
  readonly stdin: NodeJS.ReadableStream & { readonly isTTY?: boolean };
  readonly cwd: string;
  readonly clock: Clock;
  readonly random: (length: number) => Uint8Array;
  /** Aborted by Ctrl-C or SIGTERM, with the reason as an `AgentError`. */
  readonly signal: AbortSignal;
};

export type Clock = Time & {
  /** The device's own time zone, as IANA names it. */
  readonly zone: string;
};

/** Made at first use, so that a command that needs no state leaves none behind. */
export const homeOf = (context: Context): Home => openHome(context.config);
