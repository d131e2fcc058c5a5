import { printable, printableJson } from '@holdfast/protocol/printable.ts';
import { codeOf } from '../errors.ts';
import type { Progress } from './progress.ts';
import { shortened } from './shortened.ts';

/**
 * Where a command speaks. For a person: results on stdout, everything else on stderr. With --json: JSON on stdout and nothing
 * else; commands that take long print one line per event first, the last line is the result.
 */
export type Output = {
  readonly json: boolean;
  /** Where results go, for a log that writes itself. */
  readonly stream: NodeJS.WritableStream & { readonly isTTY?: boolean };
  /** A line of the result, for a person; one line whatever the text is, since names may hold anything (`printable.ts`). */
  line(text?: string): void;
  /** Something beside the result: a question, a warning, what happens now. */
  note(text: string): void;
  /** The whole result: `document` for programs, `show` prints it for a person. */
  result(document: object, show: () => void): void;
  /** One event while a long command runs; only programs see it. */
  event(name: string, fields: object): void;
  error(error: unknown): void;
  /** Begins a bar with rate and time left; where nobody watches there are only the lines that it is given to say. */
  progress(title: string): Promise<Progress>;
};

export type Streams = {
  readonly stdout: NodeJS.WritableStream & { readonly isTTY?: boolean };
  readonly stderr: NodeJS.WritableStream & { readonly isTTY?: boolean };
};

type Options = { readonly json: boolean; readonly plain: boolean; readonly debug: boolean; readonly now: () => number };

export function createOutput({ stdout, stderr }: Streams, { json, plain, debug, now }: Options): Output {
  const print = (stream: Streams['stdout'], text: string) => {
    const shown = printable(text);
    stream.write(`${stream.isTTY ? shortened(shown) : shown}\n`);
  };
  const document = (fields: object) => void stdout.write(`${printableJson(JSON.stringify(fields, replacer))}\n`);
  return {
    json,
    stream: stdout,
    line: (text = '') => void (json || print(stdout, text)),
    note: (text) => void (json || print(stderr, text)),
    result: (fields, show) => {
      if (json) document(fields);
      else show();
    },
    event: (name, fields) => void (json && document({ event: name, ...fields })),
    error: (error) => {
      if (json) return document({ error: describeError(error) });
      print(stderr, `holdfast: ${messageOf(error)}`);
      if (debug) for (const line of stackOf(error).split('\n')) print(stderr, line);
    },
    progress: async (title) => {
      const progress = await import('./progress.ts');
      if (json) return progress.eventProgress(title, document, now);
      if (stderr.isTTY && !plain) return progress.barProgress(title, stderr, now);
      return progress.noBar((text) => print(stderr, text));
    },
  };
}

export function describeError(error: unknown): { code: string; message: string; data?: unknown } {
  const data = (error as { data?: object }).data;
  const code = codeOf(error) ?? 'internal';
  return { code, message: messageOf(error), ...(data && Object.keys(data).length > 0 ? { data } : {}) };
}

/** An error without a code is a fault of ours or the system's: its cause is part of what helps. */
export function messageOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return error.message || error.name;
}

function stackOf(error: unknown): string {
  if (!(error instanceof Error)) return '';
  return `${error.stack ?? ''}${error.cause === undefined ? '' : `\ncaused by ${stackOf(error.cause) || String(error.cause)}`}`;
}

/** Ids travel as hex, counts that outgrow a number as text. */
function replacer(this: unknown, _key: string, value: unknown): unknown {
  if (typeof value === 'bigint') return value.toString();
  if (value instanceof Uint8Array) return Buffer.from(value).toString('hex');
  // Buffers have become { type, data } before this sees them
  if (isBufferDocument(value)) return Buffer.from(value.data).toString('hex');
  return value;
}

const isBufferDocument = (value: unknown): value is { data: number[] } =>
  typeof value === 'object' && value !== null && (value as { type?: unknown }).type === 'Buffer' && 'data' in value;
