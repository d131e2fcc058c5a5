import { AgentError, butKnown } from '../errors.ts';

export type NamedSet = { readonly id: string; readonly name: string };

/** A person named a set that is not among these. */
export function unknownSet(wanted: string, sets: readonly NamedSet[]): AgentError {
  const known = [...new Set(sets.map(({ name }) => name))];
  return new AgentError('set_unknown', { what: `No set is called "${wanted}"${butKnown(known)}`, data: { known } });
}
