// What a hostile caller makes of a valid request. Pure: the request goes in with its parts, bytes for the wire come out.

import { BOMBS } from './bombs.ts';
import type { Draw } from './draw.ts';

export type Parts = {
  readonly method: string;
  readonly path: string;
  /** Names and values of path parameters, as they stand in `path` behind a colon. */
  readonly params: Readonly<Record<string, string>>;
  readonly query: readonly (readonly [string, string])[];
  readonly headers: readonly (readonly [string, string])[];
  readonly body: Body;
};

export type Body =
  | { readonly kind: 'none' }
  | { readonly kind: 'json'; readonly value: unknown }
  | { readonly kind: 'octets'; readonly bytes: Uint8Array };

export type WireRequest = {
  readonly head: string;
  readonly body: Uint8Array;
  /** Bytes that repeat until the server has had enough. */
  readonly endless?: Uint8Array;
  /** More was promised than is sent: the server cannot answer before the caller hangs up, and may not then. */
  readonly cut?: true;
};

/** Raw JSON, for what `JSON.stringify` does not make. */
class Raw {
  readonly text: string;
  constructor(text: string) {
    this.text = text;
  }
}

const NASTY: readonly unknown[] = [
  null,
  true,
  -1,
  0.5,
  1e308,
  new Raw('9007199254740993'),
  new Raw('1e999'),
  new Raw('-0'),
  new Raw('NaN'),
  '',
  ' ',
  '-1',
  '\u0000',
  'a\u0000b',
  new Raw('"\\ud800"'),
  "'; drop table users; --",
  '../../../etc/passwd',
  'x'.repeat(5000),
  'é'.repeat(300),
  [],
  {},
  [[[[]]]],
  new Raw(`${'['.repeat(5000)}${']'.repeat(5000)}`),
  new Raw(`${'{"a":'.repeat(5000)}1${'}'.repeat(5000)}`),
  new Raw('{"__proto__":{"admin":true}}'),
  { constructor: { prototype: { admin: true } } },
  { toString: 1, length: -1 },
  Array.from({ length: 20_000 }, () => 0),
];

const NASTY_TEXT: readonly string[] = [
  '..',
  '%2e%2e%2f%2e%2e%2fetc',
  '%00',
  '%ff%fe',
  '%',
  '%zz',
  'x'.repeat(127),
  'x'.repeat(4000),
  '0'.repeat(32),
  'F'.repeat(32),
  '0'.repeat(64),
  '-1',
  '9999999999',
  '99999999999999999999',
  '1e3',
  '__proto__',
  'constructor',
  '%F0%9F%92%A3',
  '*',
  '',
];

const QUERIES: readonly string[] = [
  'cursor=a&cursor=b',
  'cursor[__proto__]=1',
  '__proto__=1&constructor=2',
  'limit=NaN&limit=2',
  'limit=-1',
  'limit=1e9',
  'before=99999999999999999999',
  'before=0.5',
  'after=%00',
  `after=${'x'.repeat(6000)}`,
  'cursor=1.x.99999999999999999999.-1.NaN',
  'pack=zz',
  'user=%ed%a0%80',
  '&&&=&==',
];

const HEADERS: readonly (readonly [string, string])[] = [
  ['content-type', 'text/plain'],
  ['content-type', 'application/xml'],
  ['content-type', 'multipart/form-data; boundary=x'],
  ['content-type', 'application/json; charset=utf-16'],
  ['content-type', 'application/octet-stream, application/json'],
  ['content-type', '\u0001'],
  ['content-encoding', 'gzip'],
  ['expect', '100-continue'],
  ['expect', 'the impossible'],
  ['range', 'bytes=-'],
  ['range', 'bytes=5-1'],
  ['range', 'bytes=0-99999999999999999999'],
  ['range', 'bytes=-99999999999999999999'],
  ['range', 'bytes=0-1,5-9'],
  ['range', 'bytes=abc'],
  ['upgrade', 'websocket'],
  ['upgrade', 'h2c'],
  ['x-forwarded-for', `${'127.0.0.1,'.repeat(500)}`],
  ['x-http-method-override', 'DELETE'],
  ['authorization', 'Basic Og=='],
  ['authorization', 'Bearer'],
  ['authorization', `Bearer ${'A.'.repeat(3000)}`],
  ['host', ''],
  ['host', 'a b'],
  ['cookie', 'a=b; '.repeat(1000)],
  ['if-none-match', '*'],
  ['accept-encoding', 'gzip;q=NaN'],
  ['origin', 'null'],
  ['x-long', 'x'.repeat(20_000)],
];

const METHODS = [
  'HEAD',
  'OPTIONS',
  'PATCH',
  'TRACE',
  'PROPFIND',
  'GET',
  'PUT',
  'POST',
  'DELETE',
  'get',
  'A'.repeat(50),
];

/** Ways to be hostile; each is drawn as often as the others. */
export type Way = (parts: Parts, draw: Draw) => WireRequest;

export const WAYS: Readonly<Record<string, Way>> = {
  'as it is': (parts) => asWire(parts),
  'a value of another type': (parts, draw) => asWire(withBody(parts, draw)),
  'a text with odd characters': (parts, draw) => {
    const { body } = parts;
    if (body.kind !== 'json') return asWire(parts);
    return asWire({ ...parts, body: { kind: 'json', value: withOddText(body.value, draw) } });
  },
  'another body': (parts, draw) => asWire({ ...parts, body: { kind: 'octets', bytes: someBytes(parts, draw) } }),
  'a bomb': (parts, draw) => asWire(withBomb(parts, draw.pick(Object.keys(BOMBS)))),
  'a parameter': (parts, draw) => asWire(withParam(parts, draw)),
  'a query': (parts, draw) => asWire(parts, { query: draw.pick(QUERIES) }),
  'a header': (parts, draw) => asWire({ ...parts, headers: withHeader(parts.headers, draw.pick(HEADERS)) }),
  'a header twice': (parts, draw) =>
    asWire({ ...parts, headers: [...parts.headers, draw.pick([...parts.headers, ...HEADERS])] }),
  'many headers': (parts) =>
    asWire({
      ...parts,
      headers: [...parts.headers, ...Array.from({ length: 2500 }, (_, i) => [`x${i}`, '1'] as const)],
    }),
  'another method': (parts, draw) => asWire({ ...parts, method: draw.pick(METHODS) }),
  'a body that is shorter than it says': (parts, draw) => {
    const { body, head } = asWire(parts, { length: draw.pick(['10737418240', '99999999999999999999', '200']) });
    return { head, body, cut: true };
  },
  'a length that is none': (parts, draw) =>
    asWire(parts, { length: draw.pick(['-1', 'NaN', '0x10', '1e3', '+5', '5, 6', '1 2', '']) }),
  'a body that is longer than it says': (parts) => asWire(parts, { length: '1' }),
  'two lengths': (parts) => asWire({ ...parts, headers: [...parts.headers, ['content-length', '3']] }),
  'chunks and a length': (parts) => asWire({ ...parts, headers: [...parts.headers, ['transfer-encoding', 'chunked']] }),
  'chunks that lie': (parts, draw) => ({
    head: asWire(parts, { length: null, more: [['transfer-encoding', 'chunked']] }).head,
    body: Buffer.from(
      draw.pick(['ffffffffffffffff\r\n{', 'zz\r\n', '-1\r\n', '5;x=y\r\n{}\r\n', '2\r\n{}X\r\n0\r\n\r\n', '\r\n']),
    ),
    cut: true,
  }),
  'chunks without end': (parts, draw) => ({
    head: asWire(parts, { length: null, more: [['transfer-encoding', 'chunked']] }).head,
    body: new Uint8Array(0),
    endless: chunk(Buffer.alloc(60_000, draw.pick(['[', '{"a":', '\0', ' ']))),
  }),
  'another version of HTTP': (parts, draw) =>
    asWire(parts, { version: draw.pick(['HTTP/0.9', 'HTTP/1.0', 'HTTP/2.0', 'HTTP/1.1 x']) }),
  'no HTTP': (_, draw) => ({
    head: '',
    body: Buffer.from(
      draw.pick([
        'GET\r\n\r\n',
        `${'A'.repeat(70_000)}\r\n\r\n`,
        'GET / HTTP/1.1\r\n x\r\n\r\n',
        '\0\x01\x02\x03\r\n\r\n',
      ]),
    ),
  }),
};

/** One of `BOMBS`; what is compressed says so, too. */
export function withBomb(parts: Parts, name: string): Parts {
  const encoding = /under (\w+)$/.exec(name)?.[1];
  const headers = encoding === undefined ? parts.headers : withHeader(parts.headers, ['content-encoding', encoding]);
  return { ...parts, headers, body: { kind: 'octets', bytes: BOMBS[name] as Uint8Array } };
}

function chunk(bytes: Uint8Array): Uint8Array {
  return Buffer.concat([Buffer.from(`${bytes.length.toString(16)}\r\n`), bytes, Buffer.from('\r\n')]);
}

type Lines = {
  readonly query?: string;
  /** `null` says nothing of the length. */
  readonly length?: string | null;
  readonly version?: string;
  readonly more?: readonly (readonly [string, string])[];
};

export function asWire(parts: Parts, lines: Lines = {}): WireRequest {
  const path = parts.path.replace(/:(\w+)/g, (_, name: string) => parts.params[name] ?? '');
  const query = lines.query ?? new URLSearchParams(parts.query.map(([name, value]) => [name, value])).toString();
  const body = bytesOf(parts.body);
  const { length = parts.body.kind === 'none' ? null : String(body.length) } = lines;
  const headers = [
    ...(parts.headers.some(([name]) => name === 'host') ? [] : [['host', 'localhost'] as const]),
    ['connection', 'close'] as const,
    ...(length === null ? [] : [['content-length', length] as const]),
    ...parts.headers,
    ...(lines.more ?? []),
  ];
  const text = headers.map(([name, value]) => `${name}: ${value}\r\n`).join('');
  const head = `${parts.method} ${path}${query === '' ? '' : `?${query}`} ${lines.version ?? 'HTTP/1.1'}\r\n${text}\r\n`;
  return { head, body };
}

function bytesOf(body: Body): Uint8Array {
  if (body.kind === 'none') return new Uint8Array(0);
  return body.kind === 'octets' ? body.bytes : Buffer.from(stringify(body.value));
}

function stringify(value: unknown): string {
  if (value instanceof Raw) return value.text;
  if (Array.isArray(value)) return `[${value.map(stringify).join(',')}]`;
  if (typeof value !== 'object' || value === null) return JSON.stringify(value) ?? 'null';
  return `{${Object.entries(value)
    .map(([name, inner]) => `${JSON.stringify(name)}:${stringify(inner)}`)
    .join(',')}}`;
}

const withHeader = (headers: Parts['headers'], header: readonly [string, string]): Parts['headers'] => [
  ...headers.filter(([name]) => name !== header[0]),
  header,
];

function withParam(parts: Parts, draw: Draw): Parts {
  const names = Object.keys(parts.params);
  if (names.length === 0) return { ...parts, path: `${parts.path}/${draw.pick(NASTY_TEXT)}` };
  return { ...parts, params: { ...parts.params, [draw.pick(names)]: draw.pick(NASTY_TEXT) } };
}

function withBody(parts: Parts, draw: Draw): Parts {
  switch (parts.body.kind) {
    case 'none':
      return { ...parts, body: { kind: 'json', value: draw.pick(NASTY) } };
    case 'octets':
      return { ...parts, body: { kind: 'octets', bytes: damaged(parts.body.bytes, draw) } };
    case 'json':
      return { ...parts, body: { kind: 'json', value: withNasty(parts.body.value, draw) } };
    default:
      return parts.body satisfies never;
  }
}

/** One value somewhere in it is replaced, left out or joined by one that nobody asked for. */
function withNasty(value: unknown, draw: Draw): unknown {
  const isList = Array.isArray(value);
  const entries = typeof value === 'object' && value !== null ? Object.entries(value) : [];
  if (entries.length === 0 || draw.below(8) === 0) return draw.pick(NASTY);
  const [at, inner] = draw.pick(entries);
  if (isList) return value.map((each, i) => (String(i) === at ? withNasty(each, draw) : each));
  const changed = Object.fromEntries(entries.filter(([name]) => name !== at));
  const way = draw.below(5);
  if (way === 0) return changed;
  if (way === 1)
    return { ...changed, [at]: inner, [draw.pick(['extra', 'id', 'isAdmin', 'constructor'])]: draw.pick(NASTY) };
  return { ...changed, [at]: way === 2 ? withNasty(inner, draw) : draw.pick(NASTY) };
}

const ODD = ['a\u0000b', new Raw('"a\\ud800b"'), '\u202eexe.txt', '\x1b[2J', 'a\nb', '\uffff', 'A\u0301\u0301'];

/** One text in it becomes one that fits most schemas, and not every database. */
function withOddText(value: unknown, draw: Draw): unknown {
  if (typeof value === 'string') return draw.pick(ODD);
  if (typeof value !== 'object' || value === null) return value;
  const entries = Object.entries(value);
  const texts = entries.filter(([, inner]) => typeof inner === 'string' || typeof inner === 'object');
  if (texts.length === 0) return value;
  const [at] = draw.pick(texts);
  const changed = entries.map(([name, inner]) => [name, name === at ? withOddText(inner, draw) : inner]);
  return Array.isArray(value) ? changed.map(([, inner]) => inner) : Object.fromEntries(changed);
}

/** Flipped, cut, or with a number that lies. */
export function damaged(bytes: Uint8Array, draw: Draw): Uint8Array {
  if (bytes.length === 0) return Uint8Array.of(draw.below(256));
  const changed = Buffer.from(bytes);
  for (let i = draw.below(3); i >= 0; i--) {
    const at = draw.below(changed.length);
    if (draw.below(3) === 0)
      changed.fill(draw.pick([0, 0x7f, 0xff]), at, Math.min(changed.length, at + draw.pick([1, 2, 4, 8])));
    else changed[at] = draw.below(256);
  }
  const way = draw.below(4);
  if (way === 0) return changed.subarray(0, draw.below(changed.length));
  return way === 1 ? Buffer.concat([changed, changed.subarray(0, draw.below(changed.length))]) : changed;
}

function someBytes(parts: Parts, draw: Draw): Uint8Array {
  const all = [
    new Uint8Array(0),
    Buffer.from('{'),
    Buffer.from('{"a":1,"a":2}'),
    Buffer.from('null'),
    Buffer.alloc(300_000, '['),
    Buffer.from('\ufeff{}'),
    Buffer.from([0xff, 0xfe, 0xfd]),
    Buffer.from('9affffffff', 'hex'),
    Buffer.from('5bffffffff00000000', 'hex'),
    Buffer.from('HFPACK\r\n\x00\x00\x00\x01', 'latin1'),
    damaged(bytesOf(parts.body), draw),
  ];
  return draw.pick(all);
}
