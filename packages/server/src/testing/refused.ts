import { ProtocolError } from '@holdfast/protocol/errors.ts';
import { ServerError } from '../errors.ts';

/** For `assert.rejects`: an error of ours with this code. */
export const refusedWith = (code: string) => (error: unknown) => {
  if ((error instanceof ProtocolError || error instanceof ServerError) && error.code === code) return true;
  throw error;
};
