import { type IncomingMessage, type ServerResponse, STATUS_CODES } from 'node:http';
import type { Socket } from 'node:net';
import { type ErrorEnvelope, ProtocolError } from '@holdfast/protocol/errors.ts';
import { isOctets } from '@holdfast/protocol/route.ts';
import type { FastifyError, FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { hasZodFastifySchemaValidationErrors } from 'fastify-type-provider-zod';

/** What answers a path that no route has. */
export type NotFound = (request: FastifyRequest, reply: FastifyReply) => unknown;

const unknownRoute: NotFound = (request) => {
  throw new ProtocolError('unknown_route', { data: { method: request.method } });
};

/** Every failure leaves as `{ error: { code, message, data?, retryable } }`; what we did not foresee is `internal`. */
export function addErrorReplies(app: FastifyInstance, notFound: NotFound = unknownRoute): void {
  app.setErrorHandler(replyWithError);
  app.setNotFoundHandler(notFound);
}

/** Also for what goes wrong before there is a route (`frameworkErrors`). */
export const replyWithError = (error: FastifyError, request: FastifyRequest, reply: FastifyReply): FastifyReply =>
  sendError(asProtocolError(error, request), error, request, reply);

/** For what is no request at all, so that nothing but the connection can be answered (`clientErrorHandler`). */
export function refuseConnection(cause: Error & { readonly code?: string }, socket: Socket): void {
  if (cause.code === 'ECONNRESET' || socket.destroyed) return;
  const error = asBrokenRequest(cause);
  const body = JSON.stringify(error.toEnvelope());
  const headers = [
    `HTTP/1.1 ${error.status} ${STATUS_CODES[error.status]}`,
    'content-type: application/json',
    `content-length: ${Buffer.byteLength(body)}`,
    'connection: close',
  ];
  if (socket.writable) socket.write(`${headers.join('\r\n')}\r\n\r\n${body}`);
  socket.destroy(cause);
}

export function refuseSlowBody(socket: Socket): void {
  refuseConnection(Object.assign(new Error('the body takes too long'), { code: 'ERR_HTTP_REQUEST_TIMEOUT' }), socket);
}

/** Node would refuse it without our envelope (`checkExpectation`). */
export function refuseExpectation(_request: IncomingMessage, response: ServerResponse): void {
  const error = new ProtocolError('invalid_request', {
    message: 'The Expect header asks for what this server does not do: send 100-continue or none.',
  });
  const body = JSON.stringify(error.toEnvelope());
  const length = Buffer.byteLength(body);
  response.writeHead(error.status, {
    'content-type': 'application/json',
    'content-length': length,
    connection: 'close',
  });
  response.end(body);
}

function asBrokenRequest(cause: Error & { readonly code?: string }): ProtocolError {
  switch (cause.code) {
    case 'ERR_HTTP_REQUEST_TIMEOUT':
      return new ProtocolError('busy', { cause, message: 'The request did not arrive in time; send it again.' });
    case 'HPE_HEADER_OVERFLOW':
      return invalid('The headers are too large; send at most 16 KiB.', cause);
    default:
      return invalid('What arrived is no HTTP request.', cause);
  }
}

function sendError(error: ProtocolError, cause: Error, request: FastifyRequest, reply: FastifyReply): FastifyReply {
  if (error.status >= 500) request.log.error({ err: cause, code: error.code }, 'request failed');
  else request.log.debug({ code: error.code, data: error.data }, 'request refused');
  if (error.retryAfterMs !== undefined) reply.header('retry-after', String(Math.ceil(error.retryAfterMs / 1000)));
  else if (error.status === 503) reply.header('retry-after', '5');
  const envelope: ErrorEnvelope = error.toEnvelope();
  if (error.code === 'internal') envelope.error.data = { requestId: request.id };
  return reply
    .code(error.status || 500)
    .serializer(JSON.stringify)
    .type('application/json')
    .send(envelope);
}

const invalid = (message: string, cause: Error) => new ProtocolError('invalid_request', { message, cause });

function asProtocolError(error: FastifyError, request: FastifyRequest): ProtocolError {
  if (error instanceof ProtocolError) return error;
  if (hasZodFastifySchemaValidationErrors(error)) {
    const issues = error.validation.map((v) => ({ at: v.instancePath, message: v.message }));
    return new ProtocolError('invalid_request', { cause: error, data: { in: error.validationContext, issues } });
  }
  switch (error.code) {
    case 'FST_ERR_CTP_BODY_TOO_LARGE':
      return new ProtocolError('body_too_large', { cause: error, data: { max: request.routeOptions.bodyLimit } });
    case 'FST_ERR_CTP_EMPTY_JSON_BODY':
      return invalid('The content type says JSON, but there is no body: send one, or no content type.', error);
    case 'FST_ERR_CTP_INVALID_MEDIA_TYPE':
      return invalid(contentTypeAdvice(request), error);
    case 'FST_ERR_CTP_INVALID_CONTENT_LENGTH':
      return invalid('The body is not as long as its content-length says.', error);
    case 'FST_ERR_CTP_INVALID_JSON_BODY':
      return invalid(NO_JSON, error);
    case 'FST_ERR_BAD_URL':
      return invalid('The path is no valid URL: after each % stand two hexadecimal digits.', error);
    case 'FST_ERR_MAX_PARAM_LENGTH':
      return invalid('A part of the path is longer than any name.', error);
  }
  if (error instanceof SyntaxError && error.statusCode === 400) return invalid(NO_JSON, error);
  return new ProtocolError('internal', { cause: error });
}

const NO_JSON = 'The body is no valid JSON.';

function contentTypeAdvice(request: FastifyRequest): string {
  const body = request.routeOptions.config.route?.body;
  if (body === undefined) return 'This route takes no body: send none, and no content type.';
  const wanted = isOctets(body) ? 'application/octet-stream' : 'application/json';
  return `This route takes a body of the content type ${wanted}.`;
}
