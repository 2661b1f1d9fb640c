import { describe, expect, it } from "vitest";
import { LayoutClient } from "./client";
import type { LayoutAnswer, LayoutRequest } from "./nested";
import type { NumberedAnswer, NumberedRequest } from "./worker";

/** A worker that answers when told to. */
class ManualWorker {
  readonly asked: NumberedRequest[] = [];
  onmessage: ((event: { data: NumberedAnswer }) => void) | null = null;
  onerror: ((event: { message: string }) => void) | null = null;
  terminated = false;

  postMessage(request: NumberedRequest): void {
    this.asked.push(request);
  }

  terminate(): void {
    this.terminated = true;
  }

  answer(): void {
    const { id } = this.asked[this.asked.length - 1];
    this.onmessage?.({ data: { id, answer: { tag: id } as unknown as LayoutAnswer } });
  }
}

function start() {
  const worker = new ManualWorker();
  const received: unknown[] = [];
  const failures: string[] = [];
  const client = new LayoutClient(
    (answer) => received.push((answer as unknown as { tag: number }).tag),
    (message) => failures.push(message),
    () => worker as unknown as Worker,
  );
  return { worker, received, failures, client };
}

const REQUEST = {} as LayoutRequest;

describe("layout client", () => {
  it("starts no worker before there is something to lay out", () => {
    let started = 0;
    new LayoutClient(
      () => undefined,
      () => undefined,
      () => {
        started += 1;
        return new ManualWorker() as unknown as Worker;
      },
    );
    expect(started).toBe(0);
  });

  it("has one request under way and then asks for the newest only", () => {
    const { worker, received, client } = start();
    for (let count = 0; count < 4; count += 1) client.request(REQUEST);
    expect(worker.asked).toHaveLength(1);
    worker.answer();
    expect(received).toEqual([]);
    expect(worker.asked).toHaveLength(2);
    worker.answer();
    expect(received).toEqual([4]);
  });

  it("drops an answer that arrives after it was disposed of", () => {
    const { worker, received, client } = start();
    client.request(REQUEST);
    client.dispose();
    worker.answer();
    expect(received).toEqual([]);
    expect(worker.terminated).toBe(true);
  });

  it("says why when the worker can't start", () => {
    const { worker, failures, client } = start();
    client.request(REQUEST);
    worker.onerror?.({ message: "" });
    expect(failures).toEqual(["worker.js could not be loaded."]);
  });
});
