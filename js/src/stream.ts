/** What comes, for one `for await`: it waits here until the loop asks, and counts as unhandled until the loop asks again. */
export class Stream<T> implements AsyncIterableIterator<T> {
  readonly #waiting: { value: T; handled: () => void }[] = [];
  readonly #asking: ((result: IteratorResult<T, undefined>) => void)[] = [];
  #handled = (): void => {};
  readonly #over: () => void;
  #ended = false;

  /** `over` is called once: when it ends. */
  constructor(over: () => void) {
    this.#over = over;
  }

  /** Hear of one more; the promise settles when the loop is done with it. */
  put(value: T): Promise<void> {
    return new Promise((handled) => {
      this.#waiting.push({ value, handled });
      this.#serve();
    });
  }

  /** What has come can still be had; then the loop is over. */
  end(): void {
    if (!this.#ended) this.#over();
    this.#ended = true;
    this.#serve();
  }

  next(): Promise<IteratorResult<T, undefined>> {
    this.#handled();
    return new Promise((resolve) => {
      this.#asking.push(resolve);
      this.#serve();
    });
  }

  /** The loop was left: what waits is for nobody. */
  async return(): Promise<IteratorResult<T, undefined>> {
    this.#handled();
    for (const { handled } of this.#waiting.splice(0)) handled();
    this.end();
    return { done: true, value: undefined };
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  #serve(): void {
    while (this.#asking.length > 0) {
      const next = this.#waiting.shift();
      if (!next && !this.#ended) return;
      this.#handled = next?.handled ?? (() => {});
      this.#asking.shift()?.(next ? { done: false, value: next.value } : { done: true, value: undefined });
    }
  }
}
