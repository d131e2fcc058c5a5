// What the index keeps of an id: its first bytes (tables.ts says why that is enough).

export const PREFIX_LENGTH = 16;

export const prefixOf = (id: Uint8Array): Uint8Array => id.subarray(0, PREFIX_LENGTH);
