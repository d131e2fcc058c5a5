/**
 * The names that files have until they are whole: `.holdfast-restore.PID.RUN.NUMBER`, in the directory they will stand in. A killed restore leaves
 * them behind; the next one in that directory removes those whose process is gone, or whose run in this process has ended.
 */
import { Buffer } from 'node:buffer';

const PATTERN = /^\.holdfast-restore\.(\d{1,10})\.([0-9a-f]{16})\.\d+$/;

const activeRuns = new Set<string>();

export type TemporaryNames = { next(): Buffer; end(): void };

/** `run`: 8 random bytes. */
export function temporaryNames(run: Uint8Array): TemporaryNames {
  const id = Buffer.from(run).toString('hex');
  let count = 0;
  activeRuns.add(id);
  return {
    next: () => Buffer.from(`.holdfast-restore.${process.pid}.${id}.${count++}`),
    end: () => {
      activeRuns.delete(id);
    },
  };
}

export function isLeftOver(name: Uint8Array): boolean {
  if (name[0] !== 0x2e || name.length > 80) return false;
  const [, pid, run] = PATTERN.exec(Buffer.from(name).toString('latin1')) ?? [];
  if (pid === undefined || run === undefined) return false;
  return Number(pid) === process.pid ? !activeRuns.has(run) : !isAlive(Number(pid));
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code !== 'ESRCH';
  }
}
