/** What `npm run quickstart -- ...` was asked to do. */
import { resolve } from 'node:path';
import { parseArgs } from 'node:util';

export type QuickstartOptions = {
  /** Everything is written below it. */
  data: string;
  /** The folder that is copied; null: the project's own node_modules. */
  folder: string | null;
  httpPort: number;
  httpsPort: number;
  /** Stop after the comparison instead of going on serving. */
  once: boolean;
};

export const USAGE = `npm run quickstart -- [--folder DIR] [--data DIR] [--port-base N] [--once]

  --folder DIR    the folder to copy, back up and restore (default: this project's node_modules)
  --data DIR      where everything is kept (default: ./holdfast-data); a second run reuses it
  --port-base N   HTTP on N and HTTPS on N + 5 (default: 4280)
  --once          stop after the comparison; exit code 0 only if everything matched`;

/** Throws an Error whose message is for the person who typed. */
export function parseArguments(argv: string[]): QuickstartOptions | 'help' {
  const { values } = parseArgs({
    args: argv,
    options: {
      folder: { type: 'string' },
      data: { type: 'string', default: 'holdfast-data' },
      'port-base': { type: 'string', default: '4280' },
      once: { type: 'boolean', default: false },
      help: { type: 'boolean', short: 'h', default: false },
    },
  });
  if (values.help) return 'help';
  const base = Number(values['port-base']);
  if (!Number.isInteger(base) || base < 1 || base > 65_530) {
    throw new Error(`--port-base is a number from 1 to 65530, not "${values['port-base']}"`);
  }
  return {
    data: resolve(values.data),
    folder: values.folder === undefined ? null : resolve(values.folder),
    httpPort: base,
    httpsPort: base + 5,
    once: values.once,
  };
}
