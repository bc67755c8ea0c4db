/** Lets requests wait for each other: one after another, or only the newest of many. */

/** Runs tasks strictly one after another, whether or not earlier ones failed. */
export class OneAfterAnother {
  private last: Promise<unknown> = Promise.resolve();

  run<Result>(task: () => Promise<Result>): Promise<Result> {
    const next = this.last.then(task, task);
    this.last = next.catch(() => undefined);
    return next;
  }
}

/** Runs a task for the newest value only: values that come while it runs replace each other. */
export class NewestOnly<Value> {
  private waiting: { value: Value } | null = null;
  private running = false;

  constructor(private readonly task: (value: Value) => Promise<void>) {}

  /** Whether a value is being worked on. */
  get busy(): boolean {
    return this.running;
  }

  async push(value: Value): Promise<void> {
    this.waiting = { value };
    if (this.running) return;
    this.running = true;
    try {
      while (this.waiting) {
        const next: Value = this.waiting.value;
        this.waiting = null;
        await this.task(next);
      }
    } finally {
      this.running = false;
      this.waiting = null;
    }
  }
}
