// The body of a key file's statement (format §2.4): the keys of one archive and one generation, for one
// recipient. keys/key-file.ts seals, opens and judges key files.

import { isHybridRecipient } from './age-header.ts';
import { MAX_PLAIN_LENGTH } from './frame.ts';
import type { CutParams } from './keys.ts';
import { encodeRecord, RecordReader } from './record.ts';

export type KeyFileBody = {
  readonly archiveId: Uint8Array;
  readonly generation: number;
  readonly idKey: Uint8Array;
  readonly chunkerKey: Uint8Array;
  readonly contentKey: Uint8Array;
  readonly dataParams: CutParams;
  readonly bundleParams: CutParams;
  /** `age1pq1...` */
  readonly recipient: string;
  /** ms */
  readonly created: number;
};

const KEY_LENGTH = 32;

export function encodeKeyFileBody(k: KeyFileBody): Uint8Array {
  return encodeRecord(
    [
      [0, 1],
      [1, k.archiveId],
      [2, k.generation],
      [3, k.idKey],
      [4, k.chunkerKey],
      [5, k.contentKey],
      [6, paramsArray(k.dataParams)],
      [7, paramsArray(k.bundleParams)],
      [8, k.recipient],
      [9, k.created],
    ],
    decodeKeyFileBody,
  );
}

export function decodeKeyFileBody(bytes: Uint8Array): KeyFileBody {
  const r = RecordReader.of('key file', bytes, [1, 2, 3, 4, 5, 6, 7, 8, 9]);
  const body = {
    archiveId: r.bytes(1, 16),
    generation: r.uint(2, 0xffff),
    idKey: r.bytes(3, KEY_LENGTH),
    chunkerKey: r.bytes(4, KEY_LENGTH),
    contentKey: r.bytes(5, KEY_LENGTH),
    dataParams: readParams(r, 6),
    bundleParams: readParams(r, 7),
    recipient: r.text(8),
    created: r.uint(9),
  };
  if (body.generation === 0) throw r.fail('generations count from 1');
  if (!isHybridRecipient(body.recipient)) throw r.fail('its recipient is not hybrid');
  return body;
}

export const paramsArray = (p: CutParams): number[] => [p.min, p.normal, p.max, p.strictBits, p.looseBits];

function readParams(r: RecordReader, key: number): CutParams {
  const [min, normal, max, strictBits, looseBits] = r.numbers(key, 5) as [number, number, number, number, number];
  if (min < 1 || normal < min || max < normal || max > MAX_PLAIN_LENGTH) throw r.fail('chunk lengths do not ascend');
  if (looseBits < 1 || strictBits < looseBits || strictBits > 31) throw r.fail('bit counts are out of range');
  return { min, normal, max, strictBits, looseBits };
}
