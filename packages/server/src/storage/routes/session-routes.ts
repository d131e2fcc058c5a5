// Sessions, and the questions asked in them.

import { ProtocolError } from '@holdfast/protocol/errors.ts';
import { storageRoutes as routes } from '@holdfast/protocol/storage-routes.ts';
import { encodeLocations } from '@holdfast/protocol/storage-wire.ts';
import { OctetReply, type ServedRoute } from '../../http/register.ts';
import { endSession, findOpenSession, openSession } from '../index/sessions.ts';
import { presentIds } from '../reads/present.ts';
import { askPresent, locate, reportLost } from '../reads/questions.ts';
import { randomHex } from '../store-point.ts';
import { inSession, isOf, onRoute, type RouteContext, wholeIds } from './context.ts';

export function sessionRoutes(context: RouteContext): ServedRoute[] {
  const { points } = context;
  const on = onRoute(context);
  return [
    on(routes.openSession, async ({ params, body, principal: { claims } }) => {
      const writes = claims.rights.includes('write');
      if (body.purpose === 'backup' && !writes)
        throw new ProtocolError('forbidden', { data: { permission: 'capability:write' } });
      const { point, archive } = await (writes ? points.findOrMake(params.archive) : points.find(params.archive));
      const session = await point.index.write((tx) =>
        openSession(
          tx,
          {
            id: randomHex(point, 16),
            archive: archive.number,
            purpose: body.purpose,
            device: Uint8Array.fromHex(claims.sub),
          },
          point.now(),
        ),
      );
      point.metrics.add('sessions_opened');
      return { session: session.id, epoch: session.epoch };
    }),

    on(routes.closeSession, async ({ params, principal }) => {
      const { point, archive, ref } = await inSession(context, params, principal.claims);
      await point.index.write(async (tx) => {
        const session = await findOpenSession(tx, archive.number, ref.id);
        if (session !== null && isOf(session, ref)) await endSession(tx, session.number, point.now());
      });
      return undefined;
    }),

    on(routes.present, async ({ params, query, principal }) => {
      const { point, ref } = await inSession(context, params, principal.claims);
      return new OctetReply(await presentIds(point, ref, query.cursor ?? null));
    }),

    on(routes.ask, async ({ params, body, principal }) => {
      const { point, ref } = await inSession(context, params, principal.claims);
      return askPresent(point, ref, wholeIds(body));
    }),

    on(routes.locate, async ({ params, body, principal }) => {
      const { point, ref } = await inSession(context, params, principal.claims);
      return encodeLocations(await locate(point, ref, wholeIds(body)));
    }),

    on(routes.reportLost, async ({ params, body, principal }) => {
      const { point, ref } = await inSession(context, params, principal.claims);
      await reportLost(point, ref, wholeIds(body));
      return undefined;
    }),
  ];
}
