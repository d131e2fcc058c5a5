/** Decoders of the agent: its own files, which a crash or another program may have damaged, and what a person or the system says. */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { parseTime } from '@holdfast/agent/archive/time.ts';
import { loadIdentity, saveIdentity } from '@holdfast/agent/keys/device-keys.ts';
import { sameWords } from '@holdfast/agent/keys/device-words.ts';
import { identityFromFile } from '@holdfast/agent/keys/obtain-identity.ts';
import { parseSetting, SETTING_NAMES } from '@holdfast/agent/limits/settings.ts';
import { parseDuration, parseRate, parseShare } from '@holdfast/agent/limits/units.ts';
import { parsePmset, parseWindowsBattery, readPowerSupplies } from '@holdfast/agent/present/battery.ts';
import { parseLogind, parseQuser } from '@holdfast/agent/present/last-input.ts';
import { newSet, parseRoot } from '@holdfast/agent/sets/backup-set.ts';
import { checkGlob } from '@holdfast/agent/sets/globs.ts';
import { type Device, readDevice, writeDevice } from '@holdfast/agent/state/device.ts';
import { describeHome } from '@holdfast/agent/state/home.ts';
import { readKeyRequest, writeKeyRequest } from '@holdfast/agent/state/key-request.ts';
import { readPause, writePause } from '@holdfast/agent/state/pause.ts';
import { writeRecord } from '@holdfast/agent/state/record.ts';
import { readRenewal, updateRenewal } from '@holdfast/agent/state/renewal.ts';
import { readRun, writeRun } from '@holdfast/agent/state/run-record.ts';
import { readSettings } from '@holdfast/agent/state/settings.ts';
import { readTrust, rememberDeviceList } from '@holdfast/agent/state/trust.ts';
import { golden } from '@holdfast/archive/format/testing/golden.ts';
import { parseIdentity } from '@holdfast/archive/keys/identity.ts';
import { type Decoder, placeOf, textOf, utf8 } from './decoder.ts';

const home = describeHome({ home: placeOf('agent'), platform: process.platform, runtimeDir: null });
mkdirSync(home.sets, { recursive: true });

const SET = newSet('0a'.repeat(16), 'documents', ['~', '/srv']);
const ARCHIVE = { id: '0b'.repeat(16), recipient: 'age1pq1x', signingKey: '0c'.repeat(32) };
const USER = await parseIdentity(textOf(golden('identity.txt')));
const DEVICE: Device = {
  id: '0d'.repeat(16),
  guid: '1000000001',
  name: 'laptop',
  credential: 'a-credential',
  authority: { base: 'https://backup.example.org:4285', caCertificate: 'a certificate' },
  user: { id: '0e'.repeat(16), name: 'ada' },
  keys: { age: USER.ageIdentity, recipient: USER.recipient, seed: '0f'.repeat(32) },
  archive: ARCHIVE,
};
const LIMITS = { cpu: 0.5, upload: null, download: 1_000_000 };
const FAILURE = { code: 'offline', message: 'The server does not answer.', at: 1, count: 2 };

writeDevice(home, DEVICE);
writeKeyRequest(home, { archive: ARCHIVE, nonce: '01'.repeat(32), made: 1 });
writePause(home, { since: 1, until: null });
updateRenewal(home, {
  due: { removed: ['old laptop'], byItself: true, failure: FAILURE },
  begun: { identity: 'age1pq1y', wrapped: ['age1pq1z'] },
});
rememberDeviceList(home, ARCHIVE.id, 3);
writeRun(home, {
  set: SET.id,
  startedAt: 1,
  doneAt: 2,
  walkedAt: null,
  selection: null,
  last: { kind: 'committed', at: 1, snapshot: '02'.repeat(32), files: 1, bytes: 2, sent: 3, skipped: 0 },
  failure: FAILURE,
  notes: ['a note'],
});
writeRecord(join(home.state, 'settings.json'), {
  policy: { revision: 1, sets: [SET], limits: { present: LIMITS, away: LIMITS } },
  retentionSince: 1,
  own: { sets: [{ ...SET, name: 'edited' }], removed: ['03'.repeat(16)], values: { 'cpu.away': 0.9, watch: false } },
});
await saveIdentity(home, USER, USER.recipient);

/** A file of the state folder, as it was just written. */
function stateFile(name: string, path: string, of: string, read: () => unknown, weight = 1): Decoder {
  const file = join(home.state, path);
  const decode = (bytes: Uint8Array) => {
    writeFileSync(file, bytes);
    return read();
  };
  return { name, of: [`agent/${of}`], decode, golden: [readFileSync(file)], weight: 2 * weight };
}

const STATE: readonly Decoder[] = [
  stateFile('device.json', 'device.json', 'state/device.ts readDevice', () => readDevice(home)),
  stateFile('settings.json', 'settings.json', 'state/settings.ts readSettings', () => readSettings(home)),
  stateFile('trust.json', 'trust.json', 'state/trust.ts readTrust', () => readTrust(home)),
  stateFile('renewal.json', 'renewal.json', 'state/renewal.ts readRenewal', () => readRenewal(home)),
  stateFile('key-request.json', 'key-request.json', 'state/key-request.ts readKeyRequest', () => readKeyRequest(home)),
  stateFile('pause.json', 'pause.json', 'state/pause.ts readPause', () => readPause(home, 0)),
  stateFile('a set’s record', join('sets', `${SET.id}.json`), 'state/run-record.ts readRun', () =>
    readRun(home, SET.id),
  ),
  stateFile('identity.age', 'identity.age', 'keys/device-keys.ts loadIdentity', () => loadIdentity(home, DEVICE), 4),
];

/** What somebody typed, or the system printed. */
const text = (name: string, of: string, read: (text: string) => unknown, ...golden: readonly string[]): Decoder => ({
  name,
  of: [`agent/${of}`],
  decode: (bytes) => read(textOf(bytes)),
  golden: golden.map(utf8),
});

const NOW = Date.UTC(2026, 2, 10);
const WORDS = `${'abandon '.repeat(11)}about`;

const TEXTS: readonly Decoder[] = [
  {
    ...text('key file of --identity', 'keys/obtain-identity.ts identityFromFile', (t) => identityFromFile(t)),
    golden: [golden('identity.txt')],
    weight: 8,
  },
  text(
    'time',
    'archive/time.ts parseTime',
    (t) => parseTime(t, NOW, 'Europe/Berlin'),
    '2026-03-01 14:30',
    '2h ago',
    'yesterday',
    '2026-03-01T14:30+02:00',
  ),
  text('duration', 'limits/units.ts parseDuration', parseDuration, '1h30m', '2.5d'),
  text('rate', 'limits/units.ts parseRate', parseRate, '500K', '1.5MiB/s', 'none'),
  text('share', 'limits/units.ts parseShare', parseShare, '20%', '0.2'),
  ...SETTING_NAMES.map((name) =>
    text(`setting ${name}`, 'limits/settings.ts parseSetting', (t) => parseSetting(name, t)),
  ),
  text('exclusion', 'sets/globs.ts checkGlob', checkGlob, '**/node_modules', '*.{tmp,bak}', '~/[a-c]*'),
  text(
    'root',
    'sets/backup-set.ts parseRoot',
    (t) => parseRoot(t, { cwd: '/srv', userHome: '/home/ada', root: false }),
    '~/Documents',
    '../x',
  ),
  text('words of two devices', 'keys/device-words.ts sameWords', (t) => sameWords(WORDS, t), WORDS),
  text(
    'battery on macOS',
    'present/battery.ts parsePmset',
    parsePmset,
    "Now drawing from 'Battery Power'\n -InternalBattery-0 (id=1)\t57%; discharging",
  ),
  text('battery on Windows', 'present/battery.ts parseWindowsBattery', parseWindowsBattery, '1 57\r\n'),
  text(
    'desktop session',
    'present/last-input.ts parseLogind',
    (t) => parseLogind(t, NOW),
    'Type=x11\nActive=yes\nIdleHint=yes\nIdleSinceHint=1000000',
  ),
  text(
    'sessions on Windows',
    'present/last-input.ts parseQuser',
    (t) => parseQuser(t, NOW),
    ' USERNAME  SESSIONNAME  ID  STATE  IDLE TIME  LOGON TIME\n>ada  console  1  Active  2+03:04  3/10/2026 8:00 AM',
  ),
];

const supply = join(placeOf('power'), 'BAT0', 'capacity');
mkdirSync(dirname(supply), { recursive: true });
writeFileSync(join(dirname(supply), 'type'), 'Battery\n');

const POWER: Decoder = {
  name: 'battery on Linux',
  of: ['agent/present/battery.ts readPowerSupplies'],
  decode: (bytes) => {
    writeFileSync(supply, bytes);
    return readPowerSupplies(placeOf('power'));
  },
  golden: [utf8('57\n')],
  weight: 2,
};

export const AGENT_DECODERS: readonly Decoder[] = [...STATE, ...TEXTS, POWER];
