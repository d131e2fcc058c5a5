/**
 * The octets of the storage routes, both directions, each next to its reader. Integers are big-endian; `prefix` is the
 * first 16 bytes of an id. Both sides import this file, so that a body is described once.
 *
 * | body | layout |
 * |---|---|
 * | ids (ask, locate, lost) | `id(32)...` |
 * | ask reply | `u8...`, 1 present, 0 not, in the order of the question |
 * | locate reply | `pack id(32) \|\| u32 offset \|\| u32 length \|\| u32 kind` per id; kind 0: nowhere |
 * | present reply | `u8 1 \|\| u8 full \|\| u16 c \|\| u32 total \|\| u32 removed \|\| cursor(c) \|\| prefix * removed \|\| prefix...` |
 * | snapshot request | `u32 length \|\| snapshot object \|\| pack, if query.pack names one` |
 * | object list | `u16 name length \|\| name \|\| u32 length \|\| bytes`, repeated |
 */

export const WIRE_ID_LENGTH = 32;
export const WIRE_PREFIX_LENGTH = 16;
export const LOCATION_LENGTH = 44;

/** How many ids one request may carry. */
export const MAX_IDS = 16_384;

/** Above so many present ids the reply holds none, and the device asks in batches. */
export const MAX_PRESENT = 4_000_000;

export type WireLocation = {
  readonly packId: Uint8Array;
  readonly offset: number;
  readonly length: number;
  readonly kind: number;
};

export type PresentHead = {
  /** Replaces what the device knows. */
  readonly full: boolean;
  /** How many ids are present in all, about. */
  readonly total: number;
  readonly cursor: string;
  readonly removed: Uint8Array;
};

export type WireObject = { readonly name: string; readonly bytes: Uint8Array };

/** A body that its layout does not allow. The client reports it as `bad_reply`, the server as `invalid_request`. */
export class WireError extends Error {
  override readonly name = 'WireError';
}

const view = (bytes: Uint8Array) => new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);

export function encodeLocations(locations: readonly (WireLocation | null)[]): Uint8Array {
  const bytes = new Uint8Array(locations.length * LOCATION_LENGTH);
  const out = view(bytes);
  locations.forEach((location, i) => {
    if (location === null) return;
    const at = i * LOCATION_LENGTH;
    bytes.set(location.packId, at);
    out.setUint32(at + 32, location.offset);
    out.setUint32(at + 36, location.length);
    out.setUint32(at + 40, location.kind);
  });
  return bytes;
}

export function decodeLocations(bytes: Uint8Array): (WireLocation | null)[] {
  if (bytes.length % LOCATION_LENGTH !== 0) throw new WireError('locations are cut off');
  const input = view(bytes);
  return Array.from({ length: bytes.length / LOCATION_LENGTH }, (_, i) => {
    const at = i * LOCATION_LENGTH;
    const kind = input.getUint32(at + 40);
    if (kind === 0) return null;
    return {
      packId: bytes.slice(at, at + WIRE_ID_LENGTH),
      offset: input.getUint32(at + 32),
      length: input.getUint32(at + 36),
      kind,
    };
  });
}

const PRESENT_HEAD = 12;

/** Everything before the prefixes, which follow to the end of the body. */
export function encodePresentHead(head: PresentHead): Uint8Array {
  const cursor = new TextEncoder().encode(head.cursor);
  const bytes = new Uint8Array(PRESENT_HEAD + cursor.length + head.removed.length);
  const out = view(bytes);
  out.setUint8(0, 1);
  out.setUint8(1, head.full ? 1 : 0);
  out.setUint16(2, cursor.length);
  out.setUint32(4, head.total);
  out.setUint32(8, head.removed.length / WIRE_PREFIX_LENGTH);
  bytes.set(cursor, PRESENT_HEAD);
  bytes.set(head.removed, PRESENT_HEAD + cursor.length);
  return bytes;
}

export function decodePresent(bytes: Uint8Array): PresentHead & { readonly prefixes: Uint8Array } {
  if (bytes.length < PRESENT_HEAD) throw new WireError('the list of present ids is cut off');
  const input = view(bytes);
  if (input.getUint8(0) !== 1) throw new WireError('the list of present ids has an unknown version');
  const removedAt = PRESENT_HEAD + input.getUint16(2);
  const prefixesAt = removedAt + input.getUint32(8) * WIRE_PREFIX_LENGTH;
  if (prefixesAt > bytes.length || (bytes.length - prefixesAt) % WIRE_PREFIX_LENGTH !== 0)
    throw new WireError('the list of present ids is cut off');
  return {
    full: input.getUint8(1) === 1,
    total: input.getUint32(4),
    cursor: new TextDecoder().decode(bytes.subarray(PRESENT_HEAD, removedAt)),
    removed: bytes.subarray(removedAt, prefixesAt),
    prefixes: bytes.subarray(prefixesAt),
  };
}

/** The largest snapshot object a server takes: an envelope and a description with a thousand skipped entries. */
export const MAX_SNAPSHOT_OBJECT = 12 * 1024 * 1024;

export function encodeCommit(object: Uint8Array, pack?: Uint8Array): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(4 + object.length + (pack?.length ?? 0));
  view(bytes).setUint32(0, object.length);
  bytes.set(object, 4);
  if (pack) bytes.set(pack, 4 + object.length);
  return bytes;
}

export function encodeObject({ name, bytes }: WireObject): Uint8Array {
  const label = new TextEncoder().encode(name);
  const out = new Uint8Array(6 + label.length + bytes.length);
  view(out).setUint16(0, label.length);
  out.set(label, 2);
  view(out).setUint32(2 + label.length, bytes.length);
  out.set(bytes, 6 + label.length);
  return out;
}

export function decodeObjects(bytes: Uint8Array): WireObject[] {
  const objects: WireObject[] = [];
  const input = view(bytes);
  for (let at = 0; at < bytes.length; ) {
    const nameEnd = at + 2 <= bytes.length ? at + 2 + input.getUint16(at) : Number.POSITIVE_INFINITY;
    const end = nameEnd + 4 <= bytes.length ? nameEnd + 4 + input.getUint32(nameEnd) : Number.POSITIVE_INFINITY;
    if (end > bytes.length) throw new WireError('a list of objects is cut off');
    objects.push({
      name: new TextDecoder().decode(bytes.subarray(at + 2, nameEnd)),
      bytes: bytes.subarray(nameEnd + 4, end),
    });
    at = end;
  }
  return objects;
}
