import { join } from 'node:path';
import { AgentError } from '../errors.ts';
import type { Home } from './home.ts';
import { type Fields, isFields, readRecord, text, writeRecord } from './record.ts';

/**
 * Who this device is and whom it trusts: written at enrolment, secret. `archive` is null until the enrolment has come to its end: the
 * device has a credential then, but no key yet.
 */
export type Device = {
  /** 16 bytes, hex. */
  readonly id: string;
  /** The number people read to each other. */
  readonly guid: string;
  readonly name: string;
  /** Sent as a bearer token; never runs out by time. */
  readonly credential: string;
  readonly authority: AuthorityPin;
  readonly user: { readonly id: string; readonly name: string };
  /** The device's own pair: `AGE-SECRET-KEY-PQ-1...` with its recipient, and the Ed25519 seed, hex. */
  readonly keys: { readonly age: string; readonly recipient: string; readonly seed: string };
  readonly archive: ArchivePin | null;
};

export type AuthorityPin = {
  /** `https://host:port` */
  readonly base: string;
  /** PEM; only certificates of this authority are accepted. */
  readonly caCertificate: string;
};

/** The archive and the public identity that this device has accepted as its user's; another one is not taken silently. */
export type ArchivePin = {
  readonly id: string;
  readonly recipient: string;
  /** Ed25519, hex. */
  readonly signingKey: string;
};

const pathOf = (home: Home) => join(home.state, 'device.json');

export const readDevice = (home: Home): Device | null => readRecord(pathOf(home), parseDevice);

export const writeDevice = (home: Home, device: Device): void => writeRecord(pathOf(home), device);

export type EnrolledDevice = Device & { readonly archive: ArchivePin };

/** The device, or what is still to be done before there is one. */
export function requireDevice(home: Home): EnrolledDevice {
  const device = readDevice(home);
  if (device === null) throw new AgentError('not_enrolled');
  if (device.archive === null) throw new AgentError('enrolment_unfinished');
  return { ...device, archive: device.archive };
}

function parseDevice(fields: Fields): Device {
  const authority = section(fields, 'authority');
  const user = section(fields, 'user');
  const keys = section(fields, 'keys');
  const archive = fields['archive'] === null ? null : section(fields, 'archive');
  return {
    id: text(fields, 'id'),
    guid: text(fields, 'guid'),
    name: text(fields, 'name'),
    credential: text(fields, 'credential'),
    authority: { base: text(authority, 'base'), caCertificate: text(authority, 'caCertificate') },
    user: { id: text(user, 'id'), name: text(user, 'name') },
    keys: { age: text(keys, 'age'), recipient: text(keys, 'recipient'), seed: text(keys, 'seed') },
    archive: archive && {
      id: text(archive, 'id'),
      recipient: text(archive, 'recipient'),
      signingKey: text(archive, 'signingKey'),
    },
  };
}

function section(fields: Fields, name: string): Fields {
  const value = fields[name];
  if (!isFields(value)) throw new TypeError(`${name} should be an object`);
  return value;
}
