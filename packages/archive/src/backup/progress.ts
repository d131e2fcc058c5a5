/** Tells several times a second how far a run is. */
import type { BackupEvent } from './options.ts';
import type { Round } from './round.ts';
import type { Upload } from './upload.ts';

const EVERY_MS = 250;

export class Progress {
  private readonly emit: (event: BackupEvent) => void;
  private timer: NodeJS.Timeout | null = null;
  private tell: () => void = () => {};

  constructor(emit: (event: BackupEvent) => void) {
    this.emit = emit;
  }

  follow(round: Round, upload: Upload): void {
    this.close();
    this.tell = () => {
      const { files, bytes } = round.read;
      const { items, bytes: bytesTotal } = round.planned;
      const { bytesStored, bytesWaiting } = upload;
      const read = { entriesDone: files, entriesTotal: items, bytesDone: bytes, bytesTotal };
      this.emit({ kind: 'progress', ...read, bytesStored, bytesWaiting });
    };
    this.timer = setInterval(() => this.tell(), EVERY_MS).unref();
  }

  /** The numbers at the end. */
  last(): void {
    this.close();
    this.tell();
  }

  close(): void {
    if (this.timer) clearInterval(this.timer);
    this.timer = null;
  }
}
