/** Enough for a write to cost its bytes, not its way to another thread and back. */
const GATHERED = 256 * 1024;

/**
 * The bytes of a body in pieces of 256 KiB: they come in 16 KiB, as TLS cuts them, and each piece that is handed on costs a write and a
 * turn of everything that stands around it. The memory of a piece is used again for the next.
 */
export async function* gathered(body: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  const piece = Buffer.allocUnsafeSlow(GATHERED);
  let held = 0;
  for await (const chunk of body) {
    for (let at = 0; at < chunk.length; ) {
      const part = chunk.subarray(at, at + GATHERED - held);
      piece.set(part, held);
      held += part.length;
      at += part.length;
      if (held < GATHERED) continue;
      yield piece;
      held = 0;
    }
  }
  if (held > 0) yield piece.subarray(0, held);
}
