/** Somebody waits until it is opened or time has passed; opened while nobody waits, it lets the next one through at once. */
export class Latch {
  private isOpen = false;
  private release: (() => void) | null = null;

  open(): void {
    this.isOpen = true;
    this.release?.();
  }

  async wait(ms: number): Promise<void> {
    if (!this.isOpen) {
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, ms);
        this.release = () => {
          clearTimeout(timer);
          resolve();
        };
      });
    }
    this.release = null;
    this.isOpen = false;
  }
}
