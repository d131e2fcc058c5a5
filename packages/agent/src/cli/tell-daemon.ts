import { callDaemon, type Request } from '../daemon/control.ts';
import type { Home } from '../state/home.ts';

/** Tells a running service that something changed; without one the next start reads it. */
export async function tellDaemon(home: Home, request: Extract<Request, { do: 'reload' }>): Promise<boolean> {
  return (await callDaemon(home, request)) !== null;
}
