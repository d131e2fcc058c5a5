import { describe } from 'node:test';
import { archiveCryptoContract } from '../crypto/contract.ts';
import { createArchiveCrypto } from './archive-crypto.ts';

describe('archive keys over node:crypto', () => archiveCryptoContract(createArchiveCrypto, true));
