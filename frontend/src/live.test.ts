// @vitest-environment jsdom
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import type * as Live from "./live";

let live: typeof Live;
let answers: (() => Promise<unknown>)[];
let asked: number;
let stop: () => void;

const good = (): Promise<unknown> =>
  Promise.resolve({
    ok: true,
    url: "http://h/runs",
    json: () => Promise.resolve({ logdir: "l", problem: null, first_steps: null, runs: [] }),
  });
const away = (): Promise<unknown> => Promise.reject(new TypeError("Failed to fetch"));

function setVisible(height: number): void {
  Object.defineProperty(window, "innerHeight", { value: height, configurable: true });
  window.dispatchEvent(new Event("resize"));
}

beforeEach(async () => {
  vi.resetModules();
  vi.useFakeTimers();
  asked = 0;
  stop = (): void => undefined;
  answers = [];
  vi.stubGlobal("fetch", () => {
    asked += 1;
    return (answers.shift() ?? good)();
  });
  window.matchMedia = vi.fn(() => ({
    matches: false,
    addEventListener: () => undefined,
  })) as unknown as typeof window.matchMedia;
  setVisible(800);
  const { startHost } = await import("./host");
  live = await import("./live");
  startHost();
});

afterEach(() => {
  stop();
  vi.useRealTimers();
});

test("asks every 2.5 seconds", async () => {
  stop = live.startPolling();
  await vi.advanceTimersByTimeAsync(10_100);
  expect(asked).toBe(5);
  expect(live.connection.value).toMatchObject({ failures: 0, nextTry: null });
});

test("asks nothing while the tab is hidden, and at once when it is back", async () => {
  stop = live.startPolling();
  await vi.advanceTimersByTimeAsync(100);
  setVisible(0);
  await vi.advanceTimersByTimeAsync(60_000);
  expect(asked).toBe(1);
  setVisible(800);
  await vi.advanceTimersByTimeAsync(1);
  expect(asked).toBe(2);
});

test("when the server is away, tries later and later, and recovers", async () => {
  answers = [good, away, away, away];
  stop = live.startPolling();
  await vi.advanceTimersByTimeAsync(2500);
  expect(live.connection.value).toMatchObject({ failures: 1, message: "TensorBoard doesn't answer." });
  expect(live.connection.value.loadedAt).not.toBeNull();
  await vi.advanceTimersByTimeAsync(2500);
  expect(live.connection.value.failures).toBe(2);
  await vi.advanceTimersByTimeAsync(4900);
  expect(asked).toBe(3);
  await vi.advanceTimersByTimeAsync(100);
  expect(live.connection.value.failures).toBe(3);
  await vi.advanceTimersByTimeAsync(10_000);
  expect(live.connection.value.failures).toBe(0);
});

test("never waits longer than half a minute", () => {
  expect([0, 1, 2, 3, 4, 5, 50].map(live.waitAfter)).toEqual([2500, 2500, 5000, 10_000, 20_000, 30_000, 30_000]);
});

test("one question is under way at a time", async () => {
  answers = [() => new Promise(() => undefined)];
  stop = live.startPolling();
  live.tryNow();
  live.tryNow();
  await vi.advanceTimersByTimeAsync(10_000);
  expect(asked).toBe(1);
});

test("while the rules are at work, their findings are asked for again, but not by a hidden tab", async () => {
  const run = {
    run: "r",
    version: "v",
    graph: "g",
    sessions: "s",
    nodes: 0,
    captures: 1,
    first_step: 0,
    last_step: 0,
    problems: [],
  };
  const bodies: Record<string, unknown> = {
    runs: { logdir: "l", problem: null, first_steps: null, runs: [run] },
    findings: { run: "r", pending: true, findings: [], quiet: [], checked_captures: 0, problems: [] },
  };
  let findings = 0;
  vi.stubGlobal("fetch", (url: URL) => {
    const route = url.pathname.split("/").at(-1) ?? "";
    if (route === "findings") findings += 1;
    if (bodies[route] === undefined) return away();
    return Promise.resolve({ ok: true, url: url.href, json: () => Promise.resolve(bodies[route]) });
  });
  stop = live.startPolling();
  await vi.advanceTimersByTimeAsync(100);
  expect(findings, "before the nodes are there").toBe(0);
  bodies.graph = { run: "r", graph: "g", nodes: [], statistics: [] };
  (await import("./resource")).retryFailed();
  await vi.advanceTimersByTimeAsync(3100);
  expect(findings).toBe(4);
  setVisible(0);
  await vi.advanceTimersByTimeAsync(60_000);
  expect(findings).toBe(4);
  setVisible(800);
  await vi.advanceTimersByTimeAsync(1100);
  expect(findings).toBe(5);
});
