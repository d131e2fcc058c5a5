/** Well above the pool that small Buffers share, which cannot be given back. */
const WORTH_RELEASING: number = 2 * Buffer.poolSize;

/**
 * Gives memory that nobody refers to any more back at once. The collector sees how small the objects are and not the megabytes
 * behind them: left to it, a thread that seals keeps 100 MB more and touches fresh pages for each chunk.
 *
 * The bytes must be all that lives in their memory, unless that is the pool.
 */
export function release({ buffer }: Uint8Array): void {
  if (buffer instanceof ArrayBuffer && buffer.byteLength >= WORTH_RELEASING) buffer.transfer(0);
}
