// The file system as it would look an hour later: what tests have just written counts as settled.

import { createSource as createNodeSource } from '../../source/node-source.ts';
import type { FileSource, SourceOptions } from '../../source/source.ts';

const HOUR = 3_600_000;

export function createSource(options: SourceOptions): FileSource {
  const source = createNodeSource(options);
  const now = source.now.bind(source);
  source.now = () => now() + HOUR;
  return source;
}
