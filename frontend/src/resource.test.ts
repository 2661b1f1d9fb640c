import { signal } from "@preact/signals";
import { describe, expect, test } from "vitest";
import { Cache, createResource, resource, retryFailed } from "./resource";
import type { Options } from "./resource";

/** Requests that the test answers by hand, in any order. */
function controlled<K>(options?: Options<K, string>): {
  readonly cell: ReturnType<typeof createResource<K, string>>;
  readonly requests: {
    readonly key: K;
    readonly signal: AbortSignal;
    readonly answer: (data: string) => Promise<void>;
    readonly fail: (error: Error) => Promise<void>;
  }[];
} {
  const requests: ReturnType<typeof controlled<K>>["requests"] = [];
  const settled = (): Promise<void> => new Promise((resolve) => setTimeout(resolve));
  const cell = createResource<K, string>(
    (key, signal) =>
      new Promise((resolve, reject) => {
        requests.push({
          key,
          signal,
          answer: (data) => {
            resolve(data);
            return settled();
          },
          fail: (error) => {
            reject(error);
            return settled();
          },
        });
      }),
    options,
  );
  return { cell, requests };
}

describe("a cell", () => {
  test("is pending until the answer is there", async () => {
    const { cell, requests } = controlled<string>();
    expect(cell.answer.value).toEqual({ key: null, pending: false, data: null, error: null });
    cell.want("a");
    expect(cell.answer.value).toEqual({ key: null, pending: true, data: null, error: null });
    await requests[0].answer("A");
    expect(cell.answer.value).toEqual({ key: "a", pending: false, data: "A", error: null });
  });

  test("asks once for the same key", () => {
    const { cell, requests } = controlled<{ run: string }>();
    cell.want({ run: "a" });
    cell.want({ run: "a" });
    expect(requests).toHaveLength(1);
  });

  test("drops the answer that was overtaken, and aborts its request", async () => {
    const { cell, requests } = controlled<string>();
    cell.want("old");
    cell.want("new");
    expect(requests[0].signal.aborted).toBe(true);
    await requests[1].answer("NEW");
    await requests[0].answer("OLD");
    expect(cell.answer.value.data).toBe("NEW");
  });

  test("drops the error of a request that was overtaken", async () => {
    const { cell, requests } = controlled<string>();
    cell.want("old");
    cell.want("new");
    await requests[0].fail(new Error("aborted"));
    expect(cell.answer.value).toEqual({ key: null, pending: true, data: null, error: null });
  });

  test("shows nothing of another key that may not stay", async () => {
    const { cell, requests } = controlled<string>();
    cell.want("a");
    await requests[0].answer("A");
    cell.want("b");
    expect(cell.answer.value).toEqual({ key: null, pending: true, data: null, error: null });
  });

  test("tells why there is nothing, and tries again when asked", async () => {
    const { cell, requests } = controlled<string>();
    cell.want("a");
    await requests[0].fail(new Error("away"));
    expect(cell.answer.value).toMatchObject({ pending: false, error: new Error("away") });
    cell.retry();
    await requests[1].answer("A");
    expect(cell.answer.value).toEqual({ key: "a", pending: false, data: "A", error: null });
  });

  test("tries again when asked, and not whenever something changes that it reads while it loads", async () => {
    const [version, asked] = [signal(1), [] as number[]];
    const answer = resource(() => "a", () => (asked.push(version.value), Promise.reject(new Error("away")))); // prettier-ignore
    const settled = (): Promise<void> => new Promise((resolve) => setTimeout(resolve));
    await settled();
    retryFailed();
    await settled();
    for (version.value = 2; version.value < 4; version.value += 1) await settled();
    expect(answer.value.error).not.toBeNull();
    expect(asked).toEqual([1, 1]);
  });

  test("forgets everything when nothing is wanted", async () => {
    const { cell, requests } = controlled<string>();
    cell.want("a");
    cell.dispose();
    expect(requests[0].signal.aborted).toBe(true);
    await requests[0].answer("A");
    expect(cell.answer.value).toEqual({ key: null, pending: false, data: null, error: null });
  });
});

interface At {
  readonly run: string;
  readonly step: number;
}

const sameRun = { retain: (a: At, b: At): boolean => a.run === b.run };

describe("scrubbing", () => {
  test("has one request under way and asks for the newest step next", async () => {
    const { cell, requests } = controlled<At>(sameRun);
    for (const step of [1, 2, 3, 4]) cell.want({ run: "r", step });
    expect(requests).toHaveLength(1);
    await requests[0].answer("one");
    expect(cell.answer.value).toEqual({ key: { run: "r", step: 1 }, pending: true, data: "one", error: null });
    expect(requests.map((request) => request.key.step)).toEqual([1, 4]);
    await requests[1].answer("four");
    expect(cell.answer.value).toEqual({ key: { run: "r", step: 4 }, pending: false, data: "four", error: null });
  });

  test("a failed request on the way doesn't stop the newest one", async () => {
    const { cell, requests } = controlled<At>(sameRun);
    cell.want({ run: "r", step: 1 });
    cell.want({ run: "r", step: 2 });
    await requests[0].fail(new Error("away"));
    await requests[1].answer("two");
    expect(cell.answer.value).toEqual({ key: { run: "r", step: 2 }, pending: false, data: "two", error: null });
  });

  test("another run aborts at once", () => {
    const { cell, requests } = controlled<At>(sameRun);
    cell.want({ run: "r", step: 1 });
    cell.want({ run: "s", step: 1 });
    expect(requests[0].signal.aborted).toBe(true);
    expect(requests[1].key.run).toBe("s");
  });

  test("an answer that is late never replaces a cached one that is wanted", async () => {
    const cache = new Cache<string>(100, (text) => text.length);
    const { cell, requests } = controlled<At>({ ...sameRun, cache });
    cell.want({ run: "r", step: 1 });
    await requests[0].answer("one");
    cell.want({ run: "r", step: 2 });
    cell.want({ run: "r", step: 1 });
    expect(cell.answer.value).toEqual({ key: { run: "r", step: 1 }, pending: false, data: "one", error: null });
    await requests[1].answer("two");
    expect(cell.answer.value.data).toBe("one");
    cell.want({ run: "r", step: 2 });
    expect(cell.answer.value).toMatchObject({ pending: false, data: "two" });
    expect(requests).toHaveLength(2);
  });
});

describe("a cache", () => {
  test("stays within its limit and drops what was used longest ago", () => {
    const cache = new Cache<string>(4, (text) => text.length);
    cache.set("a", "11");
    cache.set("b", "22");
    cache.get("a");
    cache.set("c", "33");
    expect([cache.get("a"), cache.get("b"), cache.get("c")]).toEqual(["11", undefined, "33"]);
  });

  test("holds one answer that is larger than the limit, and nothing beside it", () => {
    const cache = new Cache<string>(3, (text) => text.length);
    cache.set("a", "1");
    cache.set("b", "22222");
    expect([cache.get("a"), cache.get("b")]).toEqual([undefined, "22222"]);
  });

  test("counts a key that is set again once", () => {
    const cache = new Cache<string>(4, (text) => text.length);
    for (let turn = 0; turn < 5; turn += 1) cache.set("a", "11");
    cache.set("b", "22");
    expect(cache.get("a")).toBe("11");
  });
});
