import { type ErrorEnvelope, ProtocolError } from '@holdfast/protocol/errors.ts';
import type { FastifyError, FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { hasZodFastifySchemaValidationErrors } from 'fastify-type-provider-zod';

/** What answers a path that no route has. */
export type NotFound = (request: FastifyRequest, reply: FastifyReply) => unknown;

const unknownRoute: NotFound = (request) => {
  throw new ProtocolError('unknown_route', { data: { method: request.method } });
};

/** Every failure leaves as `{ error: { code, message, data?, retryable } }`; what we did not foresee is `internal`. */
export function addErrorReplies(app: FastifyInstance, notFound: NotFound = unknownRoute): void {
  app.setErrorHandler((error: FastifyError, request, reply) =>
    sendError(asProtocolError(error), error, request, reply),
  );
  app.setNotFoundHandler(notFound);
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

function asProtocolError(error: FastifyError): ProtocolError {
  if (error instanceof ProtocolError) return error;
  if (hasZodFastifySchemaValidationErrors(error)) {
    const issues = error.validation.map((v) => ({ at: v.instancePath, message: v.message }));
    return new ProtocolError('invalid_request', { cause: error, data: { in: error.validationContext, issues } });
  }
  switch (error.code) {
    case 'FST_ERR_CTP_BODY_TOO_LARGE':
      return new ProtocolError('body_too_large', { cause: error });
    case 'FST_ERR_CTP_EMPTY_JSON_BODY':
    case 'FST_ERR_CTP_INVALID_MEDIA_TYPE':
    case 'FST_ERR_CTP_INVALID_CONTENT_LENGTH':
    case 'FST_ERR_CTP_INVALID_JSON_BODY':
    case 'FST_ERR_BAD_URL':
      return new ProtocolError('invalid_request', { cause: error, message: error.message });
  }
  if (error instanceof SyntaxError && error.statusCode === 400)
    return new ProtocolError('invalid_request', { cause: error });
  return new ProtocolError('internal', { cause: error });
}
