import { rmSync } from 'node:fs';
import { join } from 'node:path';
import type { ArchivePin } from './device.ts';
import type { Home } from './home.ts';
import { isFields, number, readRecord, text, writeRecord } from './record.ts';

/**
 * What this device has asked its user's other devices for: the identity whose words it shows, and no other, is accepted. Kept, so that
 * whoever stops waiting goes on with the same words.
 */
export type OwnKeyRequest = {
  readonly archive: ArchivePin;
  /** 32 bytes, hex. */
  readonly nonce: string;
  /** ms, by this device's clock. */
  readonly made: number;
};

const pathOf = (home: Home) => join(home.state, 'key-request.json');

export const readKeyRequest = (home: Home): OwnKeyRequest | null =>
  readRecord(pathOf(home), (fields) => {
    const archive = fields['archive'];
    if (!isFields(archive)) throw new TypeError('archive should be an object');
    return {
      archive: {
        id: text(archive, 'id'),
        recipient: text(archive, 'recipient'),
        signingKey: text(archive, 'signingKey'),
      },
      nonce: text(fields, 'nonce'),
      made: number(fields, 'made'),
    };
  });

export const writeKeyRequest = (home: Home, request: OwnKeyRequest): void => writeRecord(pathOf(home), request);

export const dropKeyRequest = (home: Home): void => rmSync(pathOf(home), { force: true });
