// Key levels as data: who can open an archive, by what its user's identity is wrapped to (format §2.5).

import { KEY_LEVELS_LISTED } from '../format/device-list.ts';

export const KEY_LEVELS = {
  account: {
    wraps: ['device', 'escrow'],
    openedBy: 'The user, and the organization through its escrow key.',
    lost: 'The organization can always give access back.',
  },
  'archive-password': {
    wraps: ['device', 'passphrase'],
    openedBy: 'The user, with a device or the archive password.',
    lost: 'Without devices and password the archive cannot be opened by anybody.',
  },
  'custom-key': {
    wraps: ['device'],
    openedBy: 'The user, with a device or the exported identity file.',
    lost: 'Without devices and the exported file the archive cannot be opened by anybody.',
  },
} as const satisfies Record<string, KeyLevelRules>;

export type WrapKind = 'device' | 'escrow' | 'passphrase';
export type KeyLevelRules = {
  /** What the identity may be wrapped to. */
  readonly wraps: readonly WrapKind[];
  /** A sentence for the person who chooses. */
  readonly openedBy: string;
  readonly lost: string;
};
export type KeyLevel = keyof typeof KEY_LEVELS;

/** From the one that most can open to the one that fewest can. */
export const KEY_LEVEL_ORDER: readonly KeyLevel[] = KEY_LEVELS_LISTED;

export const allowsWrap = (level: KeyLevel, wrap: WrapKind): boolean =>
  (KEY_LEVELS[level].wraps as readonly WrapKind[]).includes(wrap);

/** Raising a level shuts somebody out, so that it needs a new identity and a new generation; lowering needs a wrap. */
export const isRaise = (from: KeyLevel, to: KeyLevel): boolean =>
  KEY_LEVEL_ORDER.indexOf(to) > KEY_LEVEL_ORDER.indexOf(from);
