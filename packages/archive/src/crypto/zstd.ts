// zstd for browsers, by fzstd. Its streaming interface is the one that tells how long the output really
// is, whatever the frame announces (and with these buffers it is the faster one).

import { Decompress } from 'fzstd';

/** One whole frame. Stops with an error at the first block that goes beyond `plainLength`. */
export function decompressZstd(frame: Uint8Array, plainLength: number): Uint8Array {
  const out = new Uint8Array(plainLength);
  let at = 0;
  const stream = new Decompress((block) => {
    if (at + block.length > plainLength) throw new RangeError('more bytes than announced');
    out.set(block, at);
    at += block.length;
  });
  stream.push(frame, true);
  return out.subarray(0, at);
}
