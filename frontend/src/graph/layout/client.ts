/**
 * The page's side of the layout worker: the latest request wins, and at most one is under way.
 *
 * The one invariant: `receive` gets the answer to the newest request only, never that of an older one.
 */

import type { LayoutAnswer, LayoutRequest } from "./nested";
import type { NumberedAnswer, NumberedRequest } from "./worker";

export class LayoutClient {
  #worker: Worker | null = null;
  #newest = 0;
  #busy = false;
  #waiting: NumberedRequest | null = null;

  constructor(
    private readonly receive: (answer: LayoutAnswer) => void,
    private readonly fail: (message: string) => void,
    private readonly start: () => Worker = startWorker,
  ) {}

  request(request: LayoutRequest): void {
    this.#newest += 1;
    this.#waiting = { id: this.#newest, request };
    if (!this.#busy) this.#send();
  }

  dispose(): void {
    this.#worker?.terminate();
    this.#worker = null;
    this.#waiting = null;
    this.#newest += 1;
  }

  #send(): void {
    if (this.#waiting === null) return;
    this.#worker ??= this.#connect();
    this.#worker.postMessage(this.#waiting);
    this.#waiting = null;
    this.#busy = true;
  }

  #connect(): Worker {
    const worker = this.start();
    worker.onmessage = ({ data }: MessageEvent<NumberedAnswer>) => {
      this.#busy = false;
      if (data.id === this.#newest) this.receive(data.answer);
      this.#send();
    };
    worker.onerror = (event) => {
      this.#busy = false;
      this.fail(event.message || "worker.js could not be loaded.");
    };
    return worker;
  }
}

function startWorker(): Worker {
  return new Worker(new URL("./worker.ts", import.meta.url), { type: "module" });
}
