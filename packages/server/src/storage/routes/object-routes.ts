// Lists of snapshots and tombstones; key files, identity wraps and device lists.

import { deviceListName, identityName, keyFileName } from '@holdfast/archive/store/layout.ts';
import { storageRoutes as routes } from '@holdfast/protocol/storage-routes.ts';
import { OctetReply, type ServedRoute } from '../../http/register.ts';
import { putDeviceList, putIdentityWrap, putKeyFile } from '../objects/small-objects.ts';
import { listFolder, listSnapshots } from '../reads/lists.ts';
import { onRoute, type RouteContext } from './context.ts';

export function objectRoutes(context: RouteContext): ServedRoute[] {
  const { points } = context;
  const on = onRoute(context);
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
      const { point, archive } = await points.findOrMake(params.archive);
      await putKeyFile(point.blobs, archive.id, params.name, body);
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
      const { point, archive } = await points.findOrMake(params.archive);
      await putIdentityWrap(point.blobs, archive.id, params.name, body);
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
      const { point, archive } = await points.findOrMake(params.archive);
      await putDeviceList(point.blobs, archive.id, Number(params.counter), body);
      return undefined;
    }),
  ];
}
