import { z } from 'zod';
import { deviceRoutes } from './device-routes.ts';
import { enrolmentRoutes } from './enrolment-routes.ts';
import { identityRoutes } from './identity-routes.ts';
import { keyRequestRoutes } from './key-request-routes.ts';
import { plainText, type Route, route } from './route.ts';

/** Routes about the server itself, and the list of all that the authority serves. */

export const systemRoutes = {
  metrics: route({
    method: 'GET',
    path: '/metrics',
    permission: 'viewlogs',
    loopback: true,
    summary: 'Show metrics in the Prometheus text format; callers on the machine itself need no credential.',
    response: plainText('text/plain; version=0.0.4; charset=utf-8'),
    errors: [],
  }),
  openapi: route({
    method: 'GET',
    path: '/api/openapi.json',
    permission: 'public',
    summary: 'Describe every route as OpenAPI.',
    response: z.record(z.string(), z.unknown()),
    errors: [],
  }),
} as const;

export const authorityRoutes: readonly Route[] = [
  ...Object.values(enrolmentRoutes),
  ...Object.values(deviceRoutes),
  ...Object.values(keyRequestRoutes),
  ...Object.values(identityRoutes),
  ...Object.values(systemRoutes),
];
