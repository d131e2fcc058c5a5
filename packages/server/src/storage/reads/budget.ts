// How many bytes a capability may read, where it says so. Counted in memory: a restart gives at most one lifetime more.

import type { CapabilityClaims } from '@holdfast/protocol/capability.ts';
import { ProtocolError } from '@holdfast/protocol/errors.ts';

export class ReadBudgets {
  private readonly spent = new Map<string, { bytes: number; readonly expires: number }>();
  private readonly now: () => number;

  constructor(now: () => number) {
    this.now = now;
  }

  /** Takes `bytes` off the budget of the capability; `budget_spent` when it has not as many left. */
  spend(claims: Pick<CapabilityClaims, 'jti' | 'exp' | 'bytes'>, bytes: number): void {
    if (claims.bytes === undefined) return;
    this.forgetExpired();
    const account = this.spent.get(claims.jti) ?? { bytes: 0, expires: claims.exp * 1000 };
    if (account.bytes + bytes > claims.bytes)
      throw new ProtocolError('budget_spent', { data: { left: claims.bytes - account.bytes } });
    account.bytes += bytes;
    this.spent.set(claims.jti, account);
  }

  private forgetExpired(): void {
    const now = this.now();
    for (const [jti, { expires }] of this.spent) if (expires + TOLERANCE_MS < now) this.spent.delete(jti);
  }
}

/** Verifiers admit a capability a little longer than it says. */
const TOLERANCE_MS = 60_000;
