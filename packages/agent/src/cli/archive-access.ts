import { toHex } from '@holdfast/archive/format/ids.ts';
import { createDecodePool, type DecodePool } from '@holdfast/archive/restore/decode-pool.ts';
import { createSessionReader, type SessionReader } from '@holdfast/archive/restore/session-reader.ts';
import { choosePoints, type Point, type Wanted } from '../archive/choose.ts';
import { missedSnapshots } from '../archive/missed.ts';
import type { OpenedArchive } from '../archive/opened-archive.ts';
import { snapshotPath } from '../archive/paths.ts';
import type { Snapshot } from '../archive/snapshots.ts';
import { parseTime } from '../archive/time.ts';
import { AgentError, type AgentErrorCode } from '../errors.ts';
import { findDevice } from '../keys/device-list.ts';
import { readSettings, setsOf } from '../state/settings.ts';
import { type Input, isSet, textOption } from './command.ts';
import { type Context, homeOf } from './context.ts';
import { EXIT, type ExitCode } from './exit-codes.ts';
import { readTextFile } from './prompt.ts';
import { exitWithout, refusalError, refusalFields, tellRefusals } from './refusals.ts';
import { archivePassword } from './secrets.ts';

/** The archive that a command looks into: the user's own behind the server, or one in a store folder. */
export async function openArchive(context: Context, input: Input): Promise<OpenedArchive> {
  return textOption(input, 'store') === undefined ? openOwn(context) : openStore(context, input);
}

async function openOwn(context: Context): Promise<OpenedArchive> {
  const { openServer } = await import('./server-access.ts');
  const { openRemoteArchive } = await import('../archive/remote-archive.ts');
  const { home, device, connection, context: described } = await openServer(context);
  try {
    return await openRemoteArchive({ home, device, connection, context: described, signal: context.signal });
  } catch (error) {
    connection.close();
    throw error;
  }
}

async function openStore(context: Context, input: Input): Promise<OpenedArchive> {
  const { openStoreArchive } = await import('../archive/store-archive.ts');
  const { out, cwd, signal } = context;
  const identity = textOption(input, 'identity');
  const key =
    identity === undefined
      ? { passphrase: await archivePassword(context, input), earlier: isSet(input, 'earlierPassword') }
      : { identityFile: readTextFile(identity, cwd) };
  const archive = textOption(input, 'archive');
  return openStoreArchive({
    store: textOption(input, 'store') ?? '',
    cwd,
    key,
    signal,
    onDamagedPack: (id, error) => out.note(`Pack ${toHex(id).slice(0, 12)} is damaged: ${error.message}`),
    ...(archive !== undefined && { archive }),
  });
}

/** What was typed as to device, set, time and snapshot; this device where nothing was. */
export function wantedOf(context: Context, input: Input, archive: OpenedArchive, paths: readonly string[]): Wanted {
  const { clock, cwd, config } = context;
  const [id, at, set, named] = ['snapshot', 'at', 'set', 'device'].map((name) => textOption(input, name));
  const device = isSet(input, 'all')
    ? undefined
    : named === undefined
      ? archive.own
      : toHex(findDevice(archive.devices, named).deviceId);
  return {
    paths: paths.map((path) => snapshotPath(path, cwd, config)),
    ...(id !== undefined && { id }),
    ...(at !== undefined && { at: parseTime(at, clock.now(), clock.zone) }),
    ...(set !== undefined && { set, ownSets: archive.own === null ? [] : setsOf(readSettings(homeOf(context))) }),
    ...(device != null && { device }),
  };
}

export async function pointsFor(
  context: Context,
  input: Input,
  archive: OpenedArchive,
  paths: readonly string[],
): Promise<Chosen> {
  const wanted = wantedOf(context, input, archive, paths);
  const { list, refused } = await archive.snapshots(context.signal);
  tellRefusals(context, archive, refused);
  const points = chooseOr(list, wanted, (error) => {
    const [first, ...more] = missedSnapshots(refused, list, [], wanted);
    return first === undefined ? error : refusalError(archive, [first, ...more], error);
  });
  const missed = missedSnapshots(refused, list, points, wanted);
  const exit = exitWithout(archive, missed);
  if (exit !== EXIT.ok) {
    const count = missed.length === 1 ? 'It may be' : 'They may be';
    context.out.note(
      `${count} newer than what is used instead, so this ends with ${exit}; --at or --snapshot chooses.`,
    );
  }
  return { points, exit, refusals: refusalFields(archive, refused) };
}

export type Chosen = {
  readonly points: readonly Point[];
  /** Not 0 when older ones were chosen in the place of what cannot be read. */
  readonly exit: ExitCode;
  /** For the document of a command. */
  readonly refusals: ReturnType<typeof refusalFields>;
};

/** A name or id that nothing whole has may be that of something damaged. */
const NOT_FOUND: ReadonlySet<string> = new Set<AgentErrorCode>(['snapshot_none', 'snapshot_unknown', 'set_unknown']);

function chooseOr(list: readonly Snapshot[], wanted: Wanted, explain: (error: AgentError) => AgentError): Point[] {
  try {
    return choosePoints(list, wanted);
  } catch (error) {
    throw error instanceof AgentError && NOT_FOUND.has(error.code) ? explain(error) : error;
  }
}

/** Reads trees; closes its threads and its session at the end. */
export async function withReader<T>(archive: OpenedArchive, use: (reader: SessionReader) => Promise<T>): Promise<T> {
  // Trees are few and small beside content: one thread opens them
  const pool: DecodePool = createDecodePool(archive.keys, 1);
  const reader = createSessionReader({ endpoint: archive.endpoint, opener: pool });
  try {
    return await use(reader);
  } finally {
    await Promise.allSettled([reader.close(), pool.close()]);
  }
}

export const unknownPath = (path: string): AgentError => new AgentError('path_unknown', { what: `/${path}` });
