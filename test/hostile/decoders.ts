/**
 * The registry: every function that takes apart bytes or text which others may have made, with whole inputs for it. What is
 * here is tried with hostile input in each run of the tests (decoders.test.ts) and for longer by `npm run torture -- --fuzz`;
 * a meta test (test/meta/decoders.test.ts) fails when a decoder is missing.
 */
import { AGENT_DECODERS } from './agent-decoders.ts';
import { ARCHIVE_DECODERS } from './archive-decoders.ts';
import { CACHE_DECODERS } from './cache-decoders.ts';
import type { Decoder } from './decoder.ts';
import { PROTOCOL_DECODERS, SERVER_DECODERS } from './server-decoders.ts';

export const DECODERS: readonly Decoder[] = [
  ...ARCHIVE_DECODERS,
  ...CACHE_DECODERS,
  ...PROTOCOL_DECODERS,
  ...AGENT_DECODERS,
  ...SERVER_DECODERS,
];

const PART = 'a part of decoders that stand in the registry';
const GATHERS = 'fetches what decoders of the registry then read';
const OWN = 'reads what this program keeps in memory or in its own database';
const GIVEN = 'takes what a person or the system gave the program, as it is';

/** What has the name of a decoder and needs no hostile input of its own, and why. */
export const NOT_HOSTILE: Readonly<Record<string, string>> = {
  'agent/archive/listing.ts readListing': GATHERS,
  'agent/cli/program.ts parseLine': GIVEN,
  'agent/cli/prompt.ts readSecretFromFile': GIVEN,
  'agent/cli/prompt.ts readSecretFromStdin': GIVEN,
  'agent/cli/prompt.ts readTextFile': GIVEN,
  'agent/config.ts readConfig': GIVEN,
  'agent/daemon/read-status.ts readStatus': GATHERS,
  'agent/keys/device-list.ts readDeviceList': GATHERS,
  'agent/keys/stored-keys.ts readArchiveKeys': GATHERS,
  'agent/present/battery.ts readPower': GATHERS,
  'agent/sets/backup-set.ts parseSet': PART,
  'agent/state/record.ts readIfThere': PART,
  'agent/state/record.ts readRecord': PART,
  'agent/state/run-record.ts parseFailure': PART,
  'archive/backup/byte-writer.ts ByteReader': OWN,
  'archive/backup/content.ts readContent': OWN,
  'archive/backup/reading.ts readUpTo': 'reads the files that are backed up, whatever is in them',
  'archive/backup/reading.ts readXattrs': 'reads the files that are backed up, whatever is in them',
  'archive/backup/walk-report.ts readWalkReport': OWN,
  'archive/endpoint/local/pack-files.ts readPack': GATHERS,
  'archive/format/bytes.ts readU16': PART,
  'archive/format/bytes.ts readU32': PART,
  'archive/format/record.ts RecordReader': PART,
  'archive/format/segments.ts readSegments': PART,
  'archive/restore/chunk-reader.ts readOne': GATHERS,
  'archive/restore/directory.ts readTop': GATHERS,
  'archive/system/native.ts splitDevice': 'takes a number apart',
  'server/authority/archives/archives.ts readEscrowWraps': GATHERS,
  'server/authority/audit/audit.ts readEntries': OWN,
  'server/config.ts loadConfig': GIVEN,
  'server/database/open.ts readSnapshot': OWN,
  'server/http/register.ts readAll': 'gathers a body whose length is bounded before it (withLimit)',
  'server/storage/index/point.ts readPoint': OWN,
  'server/storage/maintenance/adopt.ts readByTable': GATHERS,
  'server/storage/maintenance/adopt.ts readWhole': GATHERS,
  'server/storage/pack-tables.ts readTable': GATHERS,
  'server/storage/reads/lists.ts readIfThere': GATHERS,
  'server/storage/reads/read-pack.ts readPack': GATHERS,
};
