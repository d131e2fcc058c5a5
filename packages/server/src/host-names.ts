import { lookup } from 'node:dns/promises';
import { hostname, networkInterfaces } from 'node:os';

/** What devices are told when nobody chose an address: this machine's name where it means something, else an address. */
export async function defaultAddress(): Promise<string> {
  const name = hostname().toLowerCase();
  const resolves = await lookup(name).then(
    () => true,
    () => false,
  );
  return resolves ? name : (externalAddresses().find((address) => !address.includes(':')) ?? 'localhost');
}

const externalAddresses = (): string[] =>
  Object.values(networkInterfaces())
    .flatMap((list) => list ?? [])
    // Link-local ones need a zone, which a certificate cannot name
    .filter(({ address, internal }) => !internal && !address.startsWith('fe80:'))
    .map(({ address }) => address)
    .sort();

/** Every name and address under which devices may reach this machine: what the certificate is for. */
export const hostNames = (address: string): string[] => [
  ...new Set([address, hostname().toLowerCase(), 'localhost', '127.0.0.1', '::1', ...externalAddresses()]),
];
