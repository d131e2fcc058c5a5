// Lists of snapshots and tombstones; key files, identity wraps and device lists.

import type { BlobStore } from '@holdfast/archive/store/blob-store.ts';
import { deviceListName, identityName, keyFileName } from '@holdfast/archive/store/layout.ts';
import { storageRoutes as routes } from '@holdfast/protocol/storage-routes.ts';
import { OctetReply, type ServedRoute } from '../../http/register.ts';
import { putDeviceList, putIdentityWrap, putKeyFile } from '../objects/small-objects.ts';
import { listFolder, listSnapshots } from '../reads/lists.ts';
import { onRoute, type RouteContext } from './context.ts';

export function objectRoutes(context: RouteContext): ServedRoute[] {
  const { points } = context;
  const on = onRoute(context);
  /** The object before the archive's row: what is refused makes no archive. */
  const add = async (archive: string, put: (blobs: BlobStore, archiveId: Uint8Array) => Promise<void>) => {
    const { blobs } = await points.placeOf(archive);
    await put(blobs, Uint8Array.fromHex(archive));
    await points.findOrMake(archive);
  };
  return [
    on(routes.snapshots, async ({ params }) => {
      const { point, archive } = await points.find(params.archive);
      return new OctetReply(await listSnapshots(point, archive));
    }),

    on(routes.tombstones, async ({ params }) => {
      const { point, archive } = await points.find(params.archive);
      return new OctetReply(await listFolder(point, archive.id, 'tombstones', true));
    }),

    on(routes.keyFiles, async ({ params }) => {
      const { point, archive } = await points.find(params.archive);
      return new OctetReply(await listFolder(point, archive.id, 'keys'));
    }),

    on(routes.keyFile, async ({ params }) => {
      const { point, archive } = await points.find(params.archive);
      return point.blobs.get(keyFileName(archive.id, params.name));
    }),

    on(routes.putKeyFile, async ({ params, body }) => {
      await add(params.archive, (blobs, archiveId) => putKeyFile(blobs, archiveId, params.name, body));
      return undefined;
    }),

    on(routes.identityWraps, async ({ params }) => {
      const { point, archive } = await points.find(params.archive);
      return new OctetReply(await listFolder(point, archive.id, 'identities'));
    }),

    on(routes.identityWrap, async ({ params }) => {
      const { point, archive } = await points.find(params.archive);
      return point.blobs.get(identityName(archive.id, params.name));
    }),

    on(routes.putIdentityWrap, async ({ params, body }) => {
      await add(params.archive, (blobs, archiveId) => putIdentityWrap(blobs, archiveId, params.name, body));
      return undefined;
    }),

    on(routes.deviceLists, async ({ params }) => {
      const { point, archive } = await points.find(params.archive);
      return new OctetReply(await listFolder(point, archive.id, 'devices'));
    }),

    on(routes.deviceList, async ({ params }) => {
      const { point, archive } = await points.find(params.archive);
      return point.blobs.get(deviceListName(archive.id, Number(params.counter)));
    }),

    on(routes.putDeviceList, async ({ params, body }) => {
      await add(params.archive, (blobs, archiveId) => putDeviceList(blobs, archiveId, Number(params.counter), body));
      return undefined;
    }),
  ];
}
