/** What would stop the quickstart half-way, looked at before anything is started or written. */
import { accessSync, constants, existsSync, readdirSync, realpathSync, statSync } from 'node:fs';
import { createServer } from 'node:net';
import { dirname, relative, sep } from 'node:path';
import type { QuickstartOptions } from './arguments.ts';

/** Resolves to what is in the way, each with what to do; empty when nothing is. */
export async function preflight({ folder, data, httpPort, httpsPort }: QuickstartOptions): Promise<string[]> {
  const ports = await Promise.all([httpPort, httpsPort].map(portProblem));
  const problems = [folder === null ? null : folderProblem(folder, data), dataProblem(data), ...ports];
  return problems.filter((problem) => problem !== null);
}

function folderProblem(folder: string, data: string): string | null {
  if (!existsSync(folder))
    return `--folder ${folder} does not exist. Name a folder of yours; it is copied, never changed.`;
  if (!statSync(folder).isDirectory()) return `--folder ${folder} is not a folder. Name the folder that it is in.`;
  try {
    readdirSync(folder);
  } catch {
    return `--folder ${folder} may not be read by you. Name one that you can read.`;
  }
  const from = realpathSync(folder);
  const within = relative(from, existing(data));
  // What is kept below the folder would be copied into itself
  const isWithin = within === '' || (within !== '..' && !within.startsWith(`..${sep}`));
  return isWithin
    ? `--folder ${folder} holds ${data}, where everything is kept. Put that elsewhere with --data DIR.`
    : null;
}

function dataProblem(data: string): string | null {
  const near = existing(data);
  if (!statSync(near).isDirectory()) return `--data ${data} cannot be made: ${near} is not a folder. Name another one.`;
  try {
    accessSync(near, constants.W_OK | constants.X_OK);
    return null;
  } catch {
    return `--data ${data} cannot be written: you may not write to ${near}. Name a folder of yours.`;
  }
}

/** The path, or the nearest above it that is there. */
const existing = (path: string): string => (existsSync(path) ? realpathSync(path) : existing(dirname(path)));

const WHY: Readonly<Record<string, string>> = {
  EADDRINUSE: 'is in use, perhaps by a quickstart that still runs',
  EACCES: 'may only be opened by the administrator of this machine',
};

/** As the server listens: on every interface. */
function portProblem(port: number): Promise<string | null> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', ({ code = '' }: NodeJS.ErrnoException) =>
      resolve(`Port ${port} ${WHY[code] ?? `cannot be opened (${code})`}. Choose others with --port-base N.`),
    );
    server.listen(port, '::', () => server.close(() => resolve(null)));
  });
}
