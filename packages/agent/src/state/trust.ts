import { join } from 'node:path';
import type { Home } from './home.ts';
import { type Fields, isFields, number, readRecord, writeRecord } from './record.ts';

/**
 * What this device has seen of its archives and does not let a server take back: the highest counter of the signed device
 * list, by archive id. Losing it loses only this memory.
 */
export type Trust = { readonly deviceLists: Readonly<Record<string, number>> };

const pathOf = (home: Home) => join(home.state, 'trust.json');

export const readTrust = (home: Home): Trust => readRecord(pathOf(home), parseTrust) ?? { deviceLists: {} };

export const seenDeviceList = (home: Home, archive: string): number => readTrust(home).deviceLists[archive] ?? 0;

export function rememberDeviceList(home: Home, archive: string, counter: number): void {
  const trust = readTrust(home);
  if ((trust.deviceLists[archive] ?? 0) >= counter) return;
  writeRecord(pathOf(home), { deviceLists: { ...trust.deviceLists, [archive]: counter } });
}

/** Lists of another identity count from now on. */
export function forgetDeviceLists(home: Home, archive: string): void {
  const { [archive]: _forgotten, ...others } = readTrust(home).deviceLists;
  writeRecord(pathOf(home), { deviceLists: others });
}

function parseTrust(fields: Fields): Trust {
  const lists = fields['deviceLists'];
  if (!isFields(lists)) throw new TypeError('deviceLists should be an object');
  return { deviceLists: Object.fromEntries(Object.keys(lists).map((archive) => [archive, number(lists, archive)])) };
}
