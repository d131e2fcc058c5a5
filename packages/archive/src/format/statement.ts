// format §2.3: a statement is `[body, signature, signer]`, the signature over label || body. The label
// ends in a zero byte and names the kind of statement, so that no signature of one kind passes for another.

import { unencodable } from '../errors.ts';
import { ascii, concatBytes } from './bytes.ts';
import { CborReader, CborWriter } from './cbor.ts';

export const SIGNATURE_LENGTH = 64;
export const PUBLIC_KEY_LENGTH = 32;

export const LABEL = {
  keyFile: 'holdfast key file 1\0',
  deviceList: 'holdfast device list 1\0',
  snapshot: 'holdfast snapshot 1\0',
  receipt: 'holdfast receipt 1\0',
  tombstone: 'holdfast tombstone 1\0',
} as const;
export type Label = (typeof LABEL)[keyof typeof LABEL];

export type Statement = {
  readonly body: Uint8Array;
  readonly signature: Uint8Array;
  /** Only says which key to look up: it must be one that the reader trusts already. */
  readonly signer: Uint8Array;
};

/** The bytes that are signed. */
export function signedMessage(label: Label, body: Uint8Array): Uint8Array {
  return concatBytes(ascii(label), body);
}

export function encodeStatement({ body, signature, signer }: Statement): Uint8Array {
  if (signature.length !== SIGNATURE_LENGTH || signer.length !== PUBLIC_KEY_LENGTH)
    throw unencodable('statement', 'a signature has 64 bytes, a signer 32');
  const writer = new CborWriter(body.length + 128);
  writer.array(3);
  writer.bytes(body);
  writer.bytes(signature);
  writer.bytes(signer);
  return writer.finish();
}

export function decodeStatement(bytes: Uint8Array): Statement {
  const reader = new CborReader(bytes, 'statement');
  if (reader.array() !== 3) throw reader.fail('it has three parts');
  const statement = {
    body: reader.bytes(),
    signature: reader.bytes(SIGNATURE_LENGTH),
    signer: reader.bytes(PUBLIC_KEY_LENGTH),
  };
  reader.end();
  return statement;
}
