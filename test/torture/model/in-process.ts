/** The storage role in this process: its own routes, called without a network between. */
import type { CapabilityClaims, CapabilityPurpose } from '@holdfast/protocol/capability.ts';
import { rightsFor } from '@holdfast/protocol/capability.ts';
import { isOctets, type Route } from '@holdfast/protocol/route.ts';
import type { StorageCall } from '../../../packages/agent/src/remote/storage-call.ts';
import { type Call, OctetReply, readAll } from '../../../packages/server/src/http/register.ts';
import { ReadBudgets } from '../../../packages/server/src/storage/reads/budget.ts';
import type { RouteContext } from '../../../packages/server/src/storage/routes/context.ts';
import { objectRoutes } from '../../../packages/server/src/storage/routes/object-routes.ts';
import { packRoutes } from '../../../packages/server/src/storage/routes/pack-routes.ts';
import { sessionRoutes } from '../../../packages/server/src/storage/routes/session-routes.ts';
import { type StorePoint, StorePoints } from '../../../packages/server/src/storage/store-point.ts';

/** As a device calls it whose capability has these claims. */
export function callInProcess(point: StorePoint, claims: CapabilityClaims): StorageCall {
  const context: RouteContext = {
    points: new StorePoints([point]),
    budgets: new ReadBudgets(point.now),
    requireReady: () => {},
  };
  const served = [...sessionRoutes(context), ...packRoutes(context), ...objectRoutes(context)];
  const handlers = new Map(served.map(({ route, handle }) => [route, handle]));
  const call = async (
    purpose: string,
    route: Route,
    input: Partial<Call<Route>>,
    signal?: AbortSignal,
    headers = {},
  ): Promise<unknown> => {
    const handle = handlers.get(route);
    if (handle === undefined) throw new Error(`the storage does not serve ${route.path}`);
    const rights = rightsFor((purpose === 'copy' ? 'backup' : purpose) as CapabilityPurpose);
    const reply: unknown = await handle({
      params: input.params,
      query: input.query ?? {},
      body: isOctets(route.body) && route.body.stream ? once(input.body as unknown as Uint8Array) : input.body,
      principal: { kind: 'capability', claims: { ...claims, rights: [...rights] } },
      headers,
      address: '::1',
      signal: signal ?? new AbortController().signal,
      log: point.log,
    } as unknown as Call<Route>);
    return reply instanceof OctetReply ? bytesOf(reply.body) : reply;
  };
  return call as unknown as StorageCall;
}

async function* once(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield bytes;
}

const bytesOf = async (body: Uint8Array | AsyncIterable<Uint8Array>): Promise<Uint8Array> =>
  body instanceof Uint8Array ? body : readAll(body);
