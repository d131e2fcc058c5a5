import type { AddressInfo } from 'node:net';
import { connect, createServer, type Socket } from 'node:net';

/** A line to a server on this machine that breaks after so many pieces have gone up it, and stays broken until it is mended. */
export type CuttingProxy = {
  readonly port: number;
  /** How many pieces went up since it was last mended or cut. */
  readonly pieces: number;
  cutAfter(pieces: number): void;
  mend(): void;
  close(): Promise<void>;
};

export async function cuttingProxy(to: number): Promise<CuttingProxy> {
  const sockets = new Set<Socket>();
  let left = Number.POSITIVE_INFINITY;
  let pieces = 0;
  const track = (socket: Socket) => {
    sockets.add(socket);
    socket.on('error', () => socket.destroy());
    socket.once('close', () => sockets.delete(socket));
  };
  const server = createServer((down) => {
    track(down);
    if (left <= 0) {
      down.destroy();
      return;
    }
    const up = connect(to, '127.0.0.1');
    track(up);
    down.on('data', (piece) => {
      pieces++;
      left--;
      if (left < 0) for (const socket of sockets) socket.destroy();
      else up.write(piece);
    });
    up.on('data', (piece) => down.write(piece));
    down.once('close', () => up.destroy());
    up.once('close', () => down.destroy());
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    port: (server.address() as AddressInfo).port,
    get pieces() {
      return pieces;
    },
    cutAfter(count) {
      left = count;
      pieces = 0;
    },
    mend() {
      left = Number.POSITIVE_INFINITY;
      pieces = 0;
    },
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        for (const socket of sockets) socket.destroy();
      }),
  };
}
