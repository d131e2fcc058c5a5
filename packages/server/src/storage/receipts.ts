// Statements of the server (format §6.2, §6.3).

import { encodeReceipt, type Receipt } from '@holdfast/archive/format/receipt.ts';
import { encodeStatement, LABEL, type Label, signedMessage } from '@holdfast/archive/format/statement.ts';
import { encodeTombstone, type Tombstone } from '@holdfast/archive/format/tombstone.ts';
import type { Ports } from './store-point.ts';

type Signing = Pick<Ports, 'receipts'>;

export const makeReceipt = ({ receipts }: Signing, receipt: Omit<Receipt, 'serverId'>): Promise<Uint8Array> =>
  statement(receipts, LABEL.receipt, encodeReceipt({ ...receipt, serverId: receipts.serverId }));

export const makeTombstone = ({ receipts }: Signing, tombstone: Tombstone): Promise<Uint8Array> =>
  statement(receipts, LABEL.tombstone, encodeTombstone(tombstone));

async function statement(signer: Ports['receipts'], label: Label, body: Uint8Array): Promise<Uint8Array> {
  const signature = await signer.sign(signedMessage(label, body));
  return encodeStatement({ body, signature, signer: signer.publicKey });
}
