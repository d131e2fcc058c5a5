/** What may not be a name on Windows though it is one elsewhere: separators and streams would lead out of the target's directory. */
import { Buffer } from 'node:buffer';
import { problemOfName } from '../format/tree-entry.ts';

// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is refused
const FORBIDDEN = /[\u0000-\u001f<>:"/\\|?*]/;
const DEVICES = /^(con|prn|aux|nul|com[0-9¹²³]|lpt[0-9¹²³]|conin\$|conout\$)(\.|$)/i;

export function problemOnWindows(name: Uint8Array): string | null {
  const problem = problemOfName(name);
  if (problem !== null) return problem;
  const text = Buffer.from(name).toString();
  if (!Buffer.from(text).equals(name)) return 'a name that is no text cannot stand on Windows';
  if (FORBIDDEN.test(text)) return 'the name has a character that Windows does not allow';
  if (/[ .]$/.test(text)) return 'Windows drops a dot or space at the end of a name';
  return DEVICES.test(text.trimEnd()) ? 'Windows keeps this name for a device' : null;
}
