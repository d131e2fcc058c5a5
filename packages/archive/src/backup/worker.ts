/** The thread that walks, reads, cuts, seals and packs. Entry file: it is started with WorkerData and answers ToWorker. */
import { parentPort, receiveMessageOnPort, workerData } from 'node:worker_threads';
import { createCut } from '../chunk/fastcdc.ts';
import { createArchiveCrypto } from '../crypto-node/archive-crypto.ts';
import { ArchiveError } from '../errors.ts';
import { codeOf, createSource, isGone } from '../source/node-source.ts';
import { pathHash } from '../source/rows.ts';
import type { FileSource, SourceOptions } from '../source/source.ts';
import { asBuffer, ByteReader, ByteWriter } from './byte-writer.ts';
import { ClaimTable } from './claim-table.ts';
import { FileTable } from './file-table.ts';
import { FingerprintTable } from './fingerprint-table.ts';
import { JobRunner } from './job-runner.ts';
import type { FromWorker, PortableError, ToWorker, WorkerData } from './messages.ts';
import { CpuShare, createPace } from './pacing.ts';
import { PackFiller } from './pack-filler.ts';
import { Controls, Plan, Stopped } from './shared.ts';
import { writeFailure, writeListing } from './walk-report.ts';

if (parentPort === null) throw new Error('worker.ts runs in a worker thread only.');
const inbox = parentPort;
const data = workerData as WorkerData;
const crypto = createArchiveCrypto(data.keys);
const gear = crypto.gear();
const cutData = createCut(gear, data.keys.dataParams);
const cutBundle = createCut(gear, data.keys.bundleParams);
const fingerprints = new FingerprintTable(data.fingerprints);
let source: FileSource;

async function loadSource(): Promise<FileSource> {
  if (data.sourceModule === null) return createSource(data.sourceOptions);
  const module = (await import(data.sourceModule.module)) as { createSource(options: SourceOptions): FileSource };
  return module.createSource({ ...data.sourceOptions, data: data.sourceModule.data });
}

function post(message: FromWorker, transfer: ArrayBufferLike[] = []): void {
  inbox.postMessage(message, transfer as ArrayBuffer[]);
}

const share = new CpuShare(data.share);
const allowed = (): number => share.get();
const never = new Int32Array(new SharedArrayBuffer(4));
const rest = (ms: number) => void Atomics.wait(never, 0, 0, ms);

function walk(paths: Buffer, count: number): void {
  const reader = new ByteReader(paths);
  const writer = new ByteWriter(1 << 16);
  const pace = createPace(allowed, rest, () => performance.now());
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

function runJobs(message: ToWorker & { kind: 'jobs' }): void {
  const controls = new Controls(message.controls);
  const packs = new PackFiller(
    crypto,
    data.keys.archiveId,
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
    dataMax: data.keys.dataParams.max,
    files: new FileTable(message.files),
    plan: new Plan(message.plan),
    pace: createPace(
      allowed,
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

function answer(message: ToWorker): void {
  try {
    if (message.kind === 'memory') spare.push(message.memory);
    else if (message.kind === 'walk') walk(asBuffer(message.paths), message.count);
    else runJobs(message);
  } catch (error) {
    post(error instanceof Stopped ? { kind: 'stopped' } : { kind: 'failed', error: portable(error) });
  }
}

/** A function, since the top of a bundled file cannot wait. Messages do, until somebody listens. */
async function begin(): Promise<void> {
  source = await loadSource();
  inbox.on('message', answer);
}

void begin();
