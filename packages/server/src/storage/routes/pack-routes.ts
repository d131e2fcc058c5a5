// Packs and snapshots on their way in, and ranges of packs on their way out.

import type { CapabilityClaims } from '@holdfast/protocol/capability.ts';
import { storageRoutes as routes } from '@holdfast/protocol/storage-routes.ts';
import { OctetReply, type ServedRoute } from '../../http/register.ts';
import type { Archive } from '../index/archives.ts';
import { drain, requireEnd, splitCommit } from '../ingest/commit-body.ts';
import { commitSnapshot, repeatedCommit } from '../ingest/commit-snapshot.ts';
import { receivePack } from '../ingest/receive-pack.ts';
import { type CheckedSnapshot, checkSnapshot } from '../ingest/verify-snapshot.ts';
import { listedDeviceKey } from '../objects/small-objects.ts';
import { readPack } from '../reads/read-pack.ts';
import type { StorePoint } from '../store-point.ts';
import { inSession, onRoute, type RouteContext, requireOwn, withBody } from './context.ts';

export function packRoutes(context: RouteContext): ServedRoute[] {
  const on = onRoute(context);
  return [
    on(routes.putPack, async ({ params, body, principal }) => {
      const { point, archive, ref } = await inSession(context, params, principal.claims);
      return withBody(body, async (bytes) => {
        await requireOwn(point, ref);
        const upload = { archive, session: params.session, packId: Uint8Array.fromHex(params.pack), body: bytes };
        return { result: await receivePack(point, upload) };
      });
    }),

    on(routes.commit, async ({ params, query, body, principal: { claims } }) => {
      const { point, archive, ref } = await inSession(context, params, claims);
      return withBody(body, async (bytes) => {
        const { object, rest } = await splitCommit(bytes);
        const snapshot = await checkOf(object, archive, point, claims);
        const commit = { archive, session: params.session, snapshot };
        const before = await repeatedCommit(point, commit);
        if (before !== null) {
          await drain(rest);
          return before;
        }
        await requireOwn(point, ref);
        if (query.pack === undefined) await requireEnd(rest);
        else {
          const packId = Uint8Array.fromHex(query.pack);
          await receivePack(point, { archive, session: params.session, packId, body: rest });
        }
        return commitSnapshot(point, commit);
      });
    }),

    on(routes.readPack, async ({ params, headers, signal, principal: { claims } }) => {
      const { point, ref } = await inSession(context, params, claims);
      const spend = (bytes: number) => context.budgets.spend(claims, bytes);
      const read = await readPack(point, ref, Uint8Array.fromHex(params.pack), headers.range, spend, signal);
      const last = read.offset + read.length - 1;
      const reply = { 'content-length': String(read.length), 'accept-ranges': 'bytes' };
      return headers.range === undefined
        ? new OctetReply(read.body, 200, reply)
        : new OctetReply(read.body, 206, { ...reply, 'content-range': `bytes ${read.offset}-${last}/${read.size}` });
    }),
  ];
}

function checkOf(
  object: Uint8Array,
  archive: Archive,
  point: StorePoint,
  claims: CapabilityClaims,
): Promise<CheckedSnapshot> {
  const deviceId = Uint8Array.fromHex(claims.sub);
  return checkSnapshot(object, {
    archiveId: archive.id,
    deviceId,
    async *deviceKeys() {
      yield Uint8Array.fromHex(claims.key);
      // A device that was given new keys may offer snapshots that it signed with the old ones.
      const listed = await listedDeviceKey(point.blobs, archive.id, deviceId);
      if (listed !== null) yield listed;
    },
  });
}
