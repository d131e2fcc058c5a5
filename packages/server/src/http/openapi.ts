import swagger from '@fastify/swagger';
import { statusOf } from '@holdfast/protocol/errors.ts';
import { type Access, COMMON_ERRORS, isOctets, isText, type Route } from '@holdfast/protocol/route.ts';
import type { FastifyInstance, FastifySchema } from 'fastify';
import { z } from 'zod';

/**
 * OpenAPI 3.1 out of the same route data that validates and authorizes. Every operation says in `x-permission` who may
 * call it. Register before the routes.
 */
export async function addOpenApi(app: FastifyInstance, version: string): Promise<void> {
  await app.register(swagger, {
    openapi: {
      openapi: '3.1.0',
      info: {
        title: 'Holdfast',
        version,
        description: 'Errors answer `{ error: { code, message, data?, retryable } }`; docs/errors.md lists the codes.',
        license: { name: 'Apache-2.0', identifier: 'Apache-2.0' },
      },
      components: { securitySchemes: SECURITY_SCHEMES, schemas: {} },
    },
    transform: ({ schema, url, route }) => {
      const ours = route.config?.route;
      return ours === undefined ? { schema: { ...schema, hide: true }, url } : { schema: describe(ours), url };
    },
  });
}

const bearer = (description: string) => ({ type: 'http' as const, scheme: 'bearer', description });

const SECURITY_SCHEMES = {
  session: bearer('Token of a signed-in user, from sign-in.'),
  device: bearer('Credential of a device, from enrolment.'),
  capability: { ...bearer('Signed capability of a device, from the authority.'), bearerFormat: 'JWT' },
};

function securityOf(access: Access): Record<string, string[]>[] {
  if (access === 'public') return [];
  if (access === 'device') return [{ device: [] }];
  if (access.startsWith('capability:')) return [{ capability: [] }];
  return [{ session: [] }];
}

const jsonSchema = (schema: z.ZodType, io: 'input' | 'output'): Record<string, unknown> => {
  const { $schema: _, ...rest } = z.toJSONSchema(schema, { target: 'draft-2020-12', io, unrepresentable: 'any' });
  return rest;
};

const octetContent = { content: { 'application/octet-stream': { schema: { type: 'string', format: 'binary' } } } };

function describe(route: Route): FastifySchema {
  const { params, query, body } = route;
  return {
    summary: route.summary,
    security: securityOf(route.permission),
    'x-permission': route.permission,
    ...(params && { params: jsonSchema(params, 'input') }),
    ...(query && { querystring: jsonSchema(query, 'input') }),
    ...(body && { body: isOctets(body) ? octetContent : jsonSchema(body, 'input') }),
    response: { ...success(route), ...failures(route) },
  } as FastifySchema;
}

function success({ response }: Route): Record<string, unknown> {
  if (response === undefined) return { 204: { type: 'null', description: 'Done.' } };
  if (isOctets(response)) return { 200: { description: 'Octets.', ...octetContent } };
  if (isText(response)) {
    return { 200: { description: 'Text.', content: { 'text/plain': { schema: { type: 'string' } } } } };
  }
  return { 200: { description: 'Done.', ...jsonSchema(response, 'output') } };
}

/** One entry a status, with the codes that can come with it. */
function failures({ errors, permission }: Route): Record<string, unknown> {
  const codes = [...new Set([...COMMON_ERRORS, ...errors])].filter(
    (code) =>
      permission !== 'public' || (code !== 'unauthenticated' && code !== 'forbidden') || errors.includes(code as never),
  );
  const byStatus = Map.groupBy(codes, statusOf);
  return Object.fromEntries([...byStatus].map(([status, list]) => [status, failureSchema(list)]));
}

const failureSchema = (codes: readonly string[]) => ({
  description: codes.join(', '),
  type: 'object',
  required: ['error'],
  properties: {
    error: {
      type: 'object',
      required: ['code', 'message', 'retryable'],
      properties: {
        code: { type: 'string', enum: codes },
        message: { type: 'string' },
        retryable: { type: 'boolean' },
        data: { type: 'object' },
      },
    },
  },
});
