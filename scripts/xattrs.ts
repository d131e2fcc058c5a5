/** Extended attributes as one comparable text; empty where there are none or the platform has no such thing. */
import { xattrs } from '../packages/archive/src/system/native.ts';

export function listXattrs(path: Uint8Array): string {
  const found = xattrs(path);
  if (found === 'unsupported') return '';
  return found
    .map(([name, value]) => `${Buffer.from(name).toString('latin1')}=${Buffer.from(value).toString('hex')}`)
    .sort()
    .join('\n');
}
