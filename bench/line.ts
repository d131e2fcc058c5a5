/** A line to a server on this machine that counts what comes down it. */
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';

export type CountingLine = {
  readonly port: number;
  /** Bytes from the server so far. */
  received(): number;
  close(): Promise<void>;
};

export async function countingLine(to: number): Promise<CountingLine> {
  let received = 0;
  const sockets = new Set<Socket>();
  const track = (socket: Socket): void => {
    sockets.add(socket);
    socket.on('error', () => socket.destroy());
    socket.once('close', () => sockets.delete(socket));
  };
  const server = createServer((down) => {
    const up = connect(to, 'localhost');
    track(down);
    track(up);
    up.on('data', (piece: Buffer) => {
      received += piece.length;
    });
    down.pipe(up).pipe(down);
    down.once('close', () => up.destroy());
    up.once('close', () => down.destroy());
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    port: (server.address() as AddressInfo).port,
    received: () => received,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        for (const socket of sockets) socket.destroy();
      }),
  };
}
