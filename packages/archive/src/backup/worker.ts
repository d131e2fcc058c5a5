/**
 * The thread that walks, reads, cuts, seals and packs, for one run after the other. Entry file: it is started with WorkerData and
 * answers ToWorker.
 */
import { parentPort, receiveMessageOnPort, workerData } from 'node:worker_threads';
import { type Cut, createCut } from '../chunk/fastcdc.ts';
import { createArchiveCrypto } from '../crypto-node/archive-crypto.ts';
import { ArchiveError } from '../errors.ts';
import type { ArchiveCrypto } from '../format/archive-crypto.ts';
import { codeOf, createSource, isGone } from '../source/node-source.ts';
import { pathHash } from '../source/rows.ts';
import type { FileSource, SourceOptions } from '../source/source.ts';
import { asBuffer, ByteReader, ByteWriter } from './byte-writer.ts';
import { ClaimTable } from './claim-table.ts';
import { FileTable } from './file-table.ts';
import { FingerprintTable } from './fingerprint-table.ts';
import { JobRunner } from './job-runner.ts';
import type { FromWorker, PortableError, RunData, ToWorker, WorkerData } from './messages.ts';
import { CpuShare, createPace } from './pacing.ts';
import { PackFiller } from './pack-filler.ts';
import { Controls, Plan, Stopped } from './shared.ts';
import { writeFailure, writeListing } from './walk-report.ts';

if (parentPort === null) throw new Error('worker.ts runs in a worker thread only.');
const inbox = parentPort;
const { sourceModule } = workerData as WorkerData;

/** What a run works with. */
type Tools = {
  readonly crypto: ArchiveCrypto;
  readonly archiveId: Uint8Array;
  readonly cutData: Cut;
  readonly cutBundle: Cut;
  readonly dataMax: number;
  readonly fingerprints: FingerprintTable;
  readonly source: FileSource;
  /** Of the processor, as it is allowed now. */
  readonly share: () => number;
};
let tools: Tools | null = null;

type OpenSource = (options: SourceOptions) => FileSource;

async function loadSource(): Promise<OpenSource> {
  if (sourceModule === null) return createSource;
  const { module, data } = sourceModule;
  const loaded = (await import(module)) as { createSource: OpenSource };
  return (options) => loaded.createSource({ ...options, data });
}

function toolsOf({ keys, sourceOptions, fingerprints, share }: RunData, openSource: OpenSource): Tools {
  const crypto = createArchiveCrypto(keys);
  const gear = crypto.gear();
  const allowed = new CpuShare(share);
  return {
    crypto,
    archiveId: keys.archiveId,
    cutData: createCut(gear, keys.dataParams),
    cutBundle: createCut(gear, keys.bundleParams),
    dataMax: keys.dataParams.max,
    fingerprints: new FingerprintTable(fingerprints),
    source: openSource(sourceOptions),
    share: () => allowed.get(),
  };
}

function post(message: FromWorker, transfer: ArrayBufferLike[] = []): void {
  inbox.postMessage(message, transfer as ArrayBuffer[]);
}

const never = new Int32Array(new SharedArrayBuffer(4));
const rest = (ms: number) => void Atomics.wait(never, 0, 0, ms);

function walk({ source, fingerprints, share }: Tools, paths: Buffer, count: number): void {
  const reader = new ByteReader(paths);
  const writer = new ByteWriter(1 << 16);
  const pace = createPace(share, rest, () => performance.now());
  for (let i = 0; i < count; i++) {
    const path = Buffer.from(reader.sized());
    try {
      const listing = source.scan(path);
      const hash = pathHash(path);
      writeListing(writer, listing, (fingerprint) => fingerprints.matches(hash, fingerprint));
    } catch (error) {
      if (!(error instanceof Error) || !('syscall' in error)) throw error;
      writeFailure(writer, codeOf(error), isGone(error));
    }
    pace();
  }
  source.close();
  const reports = writer.finish();
  post({ kind: 'walked', reports }, [reports.buffer]);
}

const spare: ArrayBuffer[] = [];

/** Messages wait while jobs run; only memory is sent meanwhile. */
function takeMemory(): ArrayBuffer | null {
  for (let got = receiveMessageOnPort(inbox); got; got = receiveMessageOnPort(inbox)) {
    const message = got.message as ToWorker;
    if (message.kind === 'memory') spare.push(message.memory);
  }
  return spare.pop() ?? null;
}

function runJobs(run: Tools, message: ToWorker & { kind: 'jobs' }): void {
  const { crypto, archiveId, cutData, cutBundle, dataMax, source, share } = run;
  const controls = new Controls(message.controls);
  const packs = new PackFiller(
    crypto,
    archiveId,
    new ClaimTable(message.claims),
    controls,
    (pack, bound) => post({ kind: 'pack', pack, bound }, [pack.bytes.buffer]),
    takeMemory,
  );
  const runner = new JobRunner({
    crypto,
    source,
    packs,
    controls,
    cutData,
    cutBundle,
    dataMax,
    files: new FileTable(message.files),
    plan: new Plan(message.plan),
    pace: createPace(
      share,
      (ms) => controls.pause(ms),
      () => performance.now(),
    ),
    report: (job, report) => post({ kind: 'job', job, report, bound: packs.bound }, [report.buffer]),
  });
  runner.run();
  const loose = packs.takeLoose();
  post({ kind: 'idle', loose }, loose ? [loose.bytes.buffer] : []);
}

/** Between threads errors lose their class, so those of the archive travel as data. */
function portable(error: unknown): Error | PortableError {
  if (!(error instanceof ArchiveError)) return error instanceof Error ? error : new Error(String(error));
  return { code: error.code, data: error.data, reason: error.message };
}

function answer(message: ToWorker, openSource: OpenSource): void {
  switch (message.kind) {
    case 'begin':
      tools = toolsOf(message.run, openSource);
      return;
    case 'end':
      tools = null;
      spare.length = 0;
      return;
    case 'close':
      process.exit();
      break;
    case 'memory':
      spare.push(message.memory);
      return;
    case 'walk':
      walk(begun(), asBuffer(message.paths), message.count);
      return;
    case 'jobs':
      runJobs(begun(), message);
      return;
    default:
      message satisfies never;
  }
}

function begun(): Tools {
  if (tools === null) throw new Error('No run has begun.');
  return tools;
}

/** A function, since the top of a bundled file cannot wait. Messages do, until somebody listens. */
async function begin(): Promise<void> {
  const openSource = await loadSource();
  inbox.on('message', (message: ToWorker) => {
    try {
      answer(message, openSource);
    } catch (error) {
      post(error instanceof Stopped ? { kind: 'stopped' } : { kind: 'failed', error: portable(error) });
    }
  });
}

void begin();
