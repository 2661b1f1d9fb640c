/*
 * A keyed cell of asynchronous data for a synchronous view.
 *
 * Why it exists: a render can't wait, and answers may overtake each other. The view names what it wants by a key; the cell fetches it and
 * says at any moment `{key, pending, data, error}`.
 *
 * The one invariant: `data` belongs to the newest wanted key, or to an older one that `retain` explicitly allows to stay on screen
 * meanwhile (`pending` is then true). An answer for anything else is dropped.
 *
 * At most one request of a cell is under way. When the wanted key moves on to one that is `retain`-compatible (scrubbing over
 * steps), the request under way may finish, for its answer is newer than what is on screen, and the newest key is fetched next: a fast
 * scrub neither floods the server nor starves the screen, which aborting at every move would do. A request for anything else is aborted.
 */

import { effect, signal, untracked } from "@preact/signals";
import type { ReadonlySignal } from "@preact/signals";
import { useEffect, useLayoutEffect, useRef } from "preact/hooks";

/** What a cell knows now. */
export interface Answer<K, T> {
  /** The key `data` belongs to; null without data. */
  readonly key: K | null;
  readonly pending: boolean;
  readonly data: T | null;
  /** Why the wanted key has no data. Data retained from an older key stays beside it. */
  readonly error: Error | null;
}

export type Load<K, T> = (key: K, signal: AbortSignal) => Promise<T>;

export interface Options<K, T> {
  /** May data of `previous` stay on screen until `next` has arrived? Default: no. */
  readonly retain?: (previous: K, next: K) => boolean;
  /** Keeps answers for keys wanted before. Default: none are kept. */
  readonly cache?: Cache<T>;
}

export interface Resource<K, T> {
  readonly answer: ReadonlySignal<Answer<K, T>>;
  /** Names what is wanted now; null: nothing. The same key again does nothing. */
  readonly want: (key: K | null) => void;
  /** Fetches again when the wanted key failed. */
  readonly retry: () => void;
  /** Aborts what is under way and forgets what is wanted. */
  readonly dispose: () => void;
}

/** Answers by key, least recently used first out, bounded by the sum of their sizes. */
export class Cache<T> {
  readonly #entries = new Map<string, T>();
  #total = 0;

  constructor(
    readonly limit: number,
    readonly size: (data: T) => number,
  ) {}

  get(id: string): T | undefined {
    const data = this.#entries.get(id);
    if (data !== undefined) {
      this.#entries.delete(id);
      this.#entries.set(id, data);
    }
    return data;
  }

  set(id: string, data: T): void {
    this.#drop(id);
    this.#entries.set(id, data);
    this.#total += this.size(data);
    for (const oldest of this.#entries.keys()) {
      if (this.#total <= this.limit || oldest === id) break;
      this.#drop(oldest);
    }
  }

  #drop(id: string): void {
    const data = this.#entries.get(id);
    if (data === undefined) return;
    this.#entries.delete(id);
    this.#total -= this.size(data);
  }
}

/** Bumped to make every failed cell try again, for example when the server is back. */
const retries = signal(0);

export function retryFailed(): void {
  retries.value += 1;
}

const IDLE: Answer<never, never> = { key: null, pending: false, data: null, error: null };

function idOf(key: unknown): string {
  return JSON.stringify(key);
}

/** A cell that nobody has asked for anything yet. */
export function createResource<K, T>(
  load: Load<K, T>,
  { retain = () => false, cache }: Options<K, T> = {},
): Resource<K, T> {
  const answer = signal<Answer<K, T>>(IDLE);
  let wanted: K | null = null;
  let flight: { readonly key: K; readonly abort: AbortController } | null = null;

  const stays = (key: K): boolean => wanted !== null && (idOf(key) === idOf(wanted) || retain(key, wanted));

  function want(key: K | null): void {
    if (idOf(key) === idOf(wanted)) return;
    wanted = key;
    if (flight !== null && !stays(flight.key)) {
      flight.abort.abort();
      flight = null;
    }
    refresh();
  }

  /** Brings `answer` in line with `wanted`, and starts a request when one is needed and none is under way. */
  function refresh(): void {
    if (wanted === null) {
      answer.value = IDLE;
      return;
    }
    const cached = cache?.get(idOf(wanted));
    if (cached !== undefined) {
      answer.value = { key: wanted, pending: false, data: cached, error: null };
      return;
    }
    const { key, data } = answer.peek();
    answer.value = key !== null && stays(key) ? { key, pending: true, data, error: null } : { ...IDLE, pending: true };
    if (flight === null) void start(wanted);
  }

  async function start(key: K): Promise<void> {
    const mine = { key, abort: new AbortController() };
    flight = mine;
    try {
      const data = await load(key, mine.abort.signal);
      if (flight === mine) arrive(key, data);
    } catch (error) {
      if (flight === mine) fail(key, error instanceof Error ? error : new Error(String(error)));
    }
  }

  function arrive(key: K, data: T): void {
    flight = null;
    cache?.set(idOf(key), data);
    const settled = idOf(key) === idOf(wanted);
    // A cached answer may have satisfied the wanted key while this older one was under way: it must not go back.
    if (!settled && !answer.peek().pending) return;
    if (stays(key)) answer.value = { key, pending: !settled, data, error: null };
    if (!settled) refresh();
  }

  function fail(key: K, error: Error): void {
    flight = null;
    if (idOf(key) === idOf(wanted)) answer.value = { ...answer.peek(), pending: false, error };
    else if (answer.peek().pending) refresh();
  }

  return {
    answer,
    want,
    retry: () => answer.peek().error !== null && refresh(),
    dispose: () => want(null),
  };
}

/** Has the cell try again whenever all do. Gives what ends that. */
const followRetries = ({ retry }: Pick<Resource<never, unknown>, "retry">): (() => void) =>
  effect(() => {
    if (retries.value > 0) untracked(retry); // what `load` reads is no reason to ask again
  });

/** A cell that follows the signals `key` reads, for the life of the page. */
export function resource<K, T>(
  key: () => K | null,
  load: Load<K, T>,
  options?: Options<K, T>,
): ReadonlySignal<Answer<K, T>> {
  const cell = createResource(load, options);
  effect(() => cell.want(key()));
  followRetries(cell);
  return cell.answer;
}

/** A cell that lives as long as the component; `load` and `options` are those of the first render. */
export function useResource<K, T>(key: K | null, load: Load<K, T>, options?: Options<K, T>): Answer<K, T> {
  const held = useRef<Resource<K, T> | null>(null);
  const cell = (held.current ??= createResource(load, options));
  const id = idOf(key);
  useLayoutEffect(() => cell.want(key), [id]);
  useEffect(() => followRetries(cell), [cell]);
  useEffect(() => cell.dispose, [cell]);
  const answer = cell.answer.value;
  if (key === null || answer.key === null || idOf(answer.key) === id) return answer;
  const stays = options?.retain?.(answer.key, key) ?? false;
  return stays ? { ...answer, pending: true } : { ...IDLE, pending: true };
}
