import type { z } from 'zod';
import type { ProtocolCode } from './errors.ts';
import type { PermissionId } from './permissions.ts';

/**
 * A route is data: method, path, who may call it, and the shapes that go in and out. The server registers it, the
 * client calls it, OpenAPI prints it; nothing about a route is said twice.
 */

/**
 * Who may call: `public` anybody; `session` any signed-in user; `device` an enrolled device by its credential;
 * `capability:*` the holder of a signed capability with that right; otherwise a signed-in user with the permission.
 */
export type Access = 'public' | 'session' | 'device' | 'capability:read' | 'capability:write' | PermissionId;

/** A body of plain bytes. A streamed one reaches the handler as it arrives and is never held in memory. */
export type Octets = { readonly kind: 'octets'; readonly max: number; readonly stream: boolean };

export const octets = (max: number): Octets & { readonly stream: false } => ({ kind: 'octets', max, stream: false });
export const octetStream = (max: number): Octets & { readonly stream: true } => ({ kind: 'octets', max, stream: true });

/** A reply that is text of a type of its own, such as metrics. */
export type Text = { readonly kind: 'text'; readonly contentType: string };

export const plainText = (contentType: string): Text => ({ kind: 'text', contentType });

export type Shape = z.ZodType | Octets;

export const isOctets = (shape: Shape | Text | undefined): shape is Octets =>
  shape !== undefined && 'kind' in shape && shape.kind === 'octets';
export const isText = (shape: Shape | Text | undefined): shape is Text =>
  shape !== undefined && 'kind' in shape && shape.kind === 'text';

export type Route = {
  readonly method: 'GET' | 'POST' | 'PUT' | 'DELETE';
  /** Parameters as `:name`. */
  readonly path: string;
  readonly permission: Access;
  /** One sentence that begins with a verb. */
  readonly summary: string;
  readonly params?: z.ZodObject;
  readonly query?: z.ZodObject;
  readonly body?: Shape;
  /** Without one the answer is 204 and empty. */
  readonly response?: Shape | Text;
  /** Codes beyond those that every route can answer (`COMMON_ERRORS`). */
  readonly errors: readonly ProtocolCode[];
  /** Callers on the machine itself need no credential. */
  readonly loopback?: boolean;
};

/** Keeps the exact type of each part while it checks the whole. */
export const route = <const R extends Route>(r: R): R => r;

export const COMMON_ERRORS = [
  'invalid_request',
  'unauthenticated',
  'forbidden',
  'body_too_large',
  'too_many_attempts',
  'internal',
  'busy',
  'shutting_down',
] as const satisfies readonly ProtocolCode[];

type In<S> = S extends z.ZodType ? z.input<S> : undefined;
type Out<S> = S extends z.ZodType ? z.output<S> : undefined;

/** What a caller passes. */
export type Input<R extends Route> = (R extends { params: infer P } ? { params: In<P> } : unknown) &
  (R extends { query: infer Q } ? { query?: In<Q> } : unknown) &
  (R extends { body: infer B } ? { body: B extends Octets ? Uint8Array : In<B> } : unknown);

/** What a handler gets. */
export type Params<R extends Route> = R extends { params: infer P } ? Out<P> : undefined;
export type Query<R extends Route> = R extends { query: infer Q } ? Out<Q> : undefined;
export type Body<R extends Route> = R extends { body: infer B }
  ? B extends Octets
    ? B['stream'] extends true
      ? AsyncIterable<Uint8Array>
      : Uint8Array
    : Out<B>
  : undefined;

/** What comes back. */
export type Reply<R extends Route> = R extends { response: infer S }
  ? S extends Octets
    ? Uint8Array
    : S extends Text
      ? string
      : Out<S>
  : undefined;
