import { describe } from 'node:test';
import { createArchiveCrypto } from './archive-crypto.ts';
import { archiveCryptoContract } from './contract.ts';

describe('archive keys over WebCrypto', () => archiveCryptoContract(createArchiveCrypto, false));
