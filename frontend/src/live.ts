/*
 * Asks /runs again and again, and /findings while the rules are at work, as long as somebody looks. The one invariant: at most one question is under way, and none is asked while the tab is
 * hidden. When the server is away, what is loaded stays; the next try comes later and later, up to half a minute.
 */

import { effect, signal } from "@preact/signals";
import { announce } from "./a11y";
import { fetchRuns } from "./api";
import { visible } from "./host";
import { retryFailed } from "./resource";
import { askForFindings, findingsPending, receiveRuns } from "./state";
import type { Milliseconds } from "./units";

const INTERVAL: Milliseconds = 2500;
const LONGEST: Milliseconds = 30_000;
const FINDINGS_WAIT: Milliseconds = 1000;

export interface Connection {
  /** Failed tries in a row; 0: connected. */
  readonly failures: number;
  /** When the last good answer came, in milliseconds since the epoch; null before the first. */
  readonly loadedAt: Milliseconds | null;
  /** When the next try comes. */
  readonly nextTry: Milliseconds | null;
  /** What the server said last, or that it said nothing. */
  readonly message: string;
}

export const connection = signal<Connection>({ failures: 0, loadedAt: null, nextTry: null, message: "" });

let timer: ReturnType<typeof setTimeout> | undefined;
let asking = false;

/** The time to wait after `failures` failed tries in a row. */
export function waitAfter(failures: number): Milliseconds {
  return Math.min(INTERVAL * 2 ** Math.max(0, failures - 1), LONGEST);
}

async function ask(): Promise<void> {
  if (asking) return;
  asking = true;
  clearTimeout(timer);
  try {
    receiveRuns(await fetchRuns(new AbortController().signal));
    succeed();
  } catch (error) {
    fail(error instanceof Error ? error.message : String(error));
  } finally {
    asking = false;
    if (visible.peek()) timer = setTimeout(() => void ask(), waitAfter(connection.peek().failures));
  }
}

function succeed(): void {
  const wasAway = connection.peek().failures > 0;
  connection.value = { failures: 0, loadedAt: Date.now(), nextTry: null, message: "" };
  if (!wasAway) return;
  announce("Connected again.");
  retryFailed();
}

function fail(message: string): void {
  const failures = connection.peek().failures + 1;
  if (failures === 1) announce(message);
  connection.value = { ...connection.peek(), failures, message, nextTry: Date.now() + waitAfter(failures) };
}

/** Asks now instead of at the next turn. */
export function tryNow(): void {
  void ask();
}

/** Starts asking; pauses while the tab is hidden and asks at once when it is back. Gives a function that ends it. */
export function startPolling(): () => void {
  const stop = effect(() => {
    if (visible.value) void ask();
    else clearTimeout(timer);
  });
  const stopFindings = effect(() => {
    if (!visible.value || !findingsPending.value) return;
    const turn = setTimeout(askForFindings, FINDINGS_WAIT);
    return () => clearTimeout(turn);
  });
  return () => {
    stop();
    stopFindings();
    clearTimeout(timer);
  };
}
