// An index whose power is cut at one of its transactions: that one is committed or not, and nothing works afterwards.

import type { Index } from '../index/open-index.ts';

export class PowerCut extends Error {
  override readonly name = 'PowerCut';
}

export class CutIndex implements Index {
  readonly kind: Index['kind'];
  /** How many transactions there were: what `cutAt` counts. */
  transactions = 0;
  private readonly inner: Index;
  private readonly cutAt: number;

  constructor(inner: Index, cutAt: number) {
    this.inner = inner;
    this.kind = inner.kind;
    this.cutAt = cutAt;
  }

  read: Index['read'] = async (work) => {
    if (this.transactions >= this.cutAt) throw new PowerCut();
    return this.inner.read(work);
  };

  write: Index['write'] = async (work) => {
    const number = ++this.transactions;
    if (number > this.cutAt || (number === this.cutAt && number % 2 === 0)) throw new PowerCut();
    const result = await this.inner.write(work);
    if (number === this.cutAt) throw new PowerCut();
    return result;
  };

  async close(): Promise<void> {}
}
