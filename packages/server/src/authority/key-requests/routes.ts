import { keyRequestRoutes } from '@holdfast/protocol/key-request-routes.ts';
import { type ServedRoute, serve } from '../../http/register.ts';
import type { AuthorityContext } from '../context.ts';
import { answerKeyRequest, keyRequestsFor, ownRequestEnds, requestKey } from './key-requests.ts';
import { dropRequest } from './store.ts';

export function keyRequestRoutesOf(context: AuthorityContext): ServedRoute[] {
  return [
    serve(keyRequestRoutes.requestKey, async ({ principal, body }) => ({
      expires: await requestKey(context, principal, body),
    })),

    serve(keyRequestRoutes.ownKeyRequest, async ({ principal }) => ({
      expires: await ownRequestEnds(context, principal),
    })),

    serve(keyRequestRoutes.endKeyRequest, async ({ principal }) => {
      await dropRequest(context.database.kysely, principal.deviceId);
      return undefined;
    }),

    serve(keyRequestRoutes.keyRequests, async ({ principal }) => ({
      requests: await keyRequestsFor(context, principal),
    })),

    serve(keyRequestRoutes.answerKeyRequest, async ({ principal, params }) => {
      await answerKeyRequest(context, principal, params.device);
      return undefined;
    }),
  ];
}
