import type { Config } from '../config.ts';
import type { Values } from '../limits/settings.ts';
import type { Time } from '../limits/token-bucket.ts';
import { type Power, readPower } from '../present/battery.ts';
import { inputSources, lastInput, type Source } from '../present/last-input.ts';
import { type Limits, limitsFor, type Presence, presenceAt } from '../present/presence.ts';

/** What goes on around the service: who is present, what the device runs on, whether it slept. Looked at each minute. */
type Options = {
  readonly config: Config;
  readonly time: Pick<Time, 'now'>;
  readonly onWoke: (sleptMs: number) => void;
  readonly onLimits: (limits: Limits) => void;
};

/** A minute that took longer than this was spent asleep: a busy machine is late by seconds. */
const ASLEEP_MS = 150_000;

export class Surroundings {
  presence: Presence = 'present';
  limits: Limits = { cpu: 0.2, upload: null, download: null };
  power: Power = { onBattery: false, charge: null };
  slept: { readonly wokeAt: number; readonly ms: number } | null = null;
  private lookedAt: number;
  private readonly sources: readonly Source[];
  private readonly options: Options;

  constructor(options: Options) {
    this.options = options;
    this.lookedAt = options.time.now();
    this.sources = inputSources(options.config);
  }

  async look(values: Values): Promise<void> {
    const { config, time, onWoke, onLimits } = this.options;
    const now = time.now();
    const gap = now - this.lookedAt;
    this.lookedAt = now;
    if (gap > ASLEEP_MS) {
      this.slept = { wokeAt: now, ms: gap };
      onWoke(gap);
    }
    const [input, power] = await Promise.all([
      lastInput(this.sources, now),
      readPower(config.platform).catch(() => MAINS),
    ]);
    this.power = power;
    this.presence = presenceAt(now, input, values['away.after']);
    this.limits = limitsFor(this.presence, values);
    onLimits(this.limits);
  }
}

/** A device that cannot be asked runs on mains: a backup that is never made is worse than an empty battery. */
const MAINS: Power = { onBattery: false, charge: null };
