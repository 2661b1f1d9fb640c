/*
 * The page around us: TensorBoard shows this document in an iframe of its own origin. From it come the theme, the visibility of the tab and the
 * address bar. The one invariant: access to the parent may throw (another host, a sandbox); every one of them falls back to what
 * the iframe alone can know, and the page works without deep links.
 *
 * Deep links are `p.tb_activations.<key>=<value>` in the parent's hash. TensorBoard's own message for them answers {} at the first load, so the hash
 * is read and written directly. A change of place (run, node, view) makes a new history entry, anything else replaces the present one.
 */

import { effect, signal } from "@preact/signals";
import { setTheme } from "./state";
import type { Milliseconds } from "./units";

const PREFIX = "p.tb_activations.";
const TAB = "tb_activations";
/** Browsers slow down pages that write history often; a scrub writes once it rests. */
const WRITE_DELAY: Milliseconds = 300;
/** A change of the hash this soon after our tab appeared is TensorBoard's click on the tab, not a link of the user. */
const TAB_CLICK: Milliseconds = 500;

/** Is the page on screen? TensorBoard hides a tab by giving the iframe no height. */
export const visible = signal(isVisible());

function isVisible(): boolean {
  return window.innerHeight > 0 && document.visibilityState === "visible";
}

/** The window whose address bar the user sees; null where it can't be reached. */
function host(): Window | null {
  try {
    // Reading the hash is what throws for a parent of another origin.
    return typeof window.parent.location.hash === "string" ? window.parent : null;
  } catch {
    return null;
  }
}

let shownAt: Milliseconds = 0;

function watchVisibility(): void {
  const update = (): void => {
    const before = visible.peek();
    visible.value = isVisible();
    if (!before && visible.peek()) {
      shownAt = performance.now();
      scheduleWrite();
    }
  };
  window.addEventListener("resize", update);
  document.addEventListener("visibilitychange", update);
}

/** Mirrors TensorBoard's theme onto our root element; without TensorBoard, that of the system. */
function watchTheme(): void {
  const body = window.parent === window ? null : (host()?.document.body ?? null);
  const system = window.matchMedia("(prefers-color-scheme: dark)");
  const update = (): void => setTheme((body?.classList.contains("dark-mode") ?? system.matches) ? "dark" : "light");
  if (body !== null) new MutationObserver(update).observe(body, { attributeFilter: ["class"] });
  else system.addEventListener("change", update);
  update();
}

/** How a signal is written in a link. `encode` gives null for the value that needs no mention. */
export interface LinkCodec<T> {
  readonly encode: (value: T) => string | null;
  /** Undefined: not a value of this link. `null` is what a link without the key means. */
  readonly decode: (text: string | null) => T | undefined;
}

interface Link {
  readonly key: string;
  readonly place: boolean;
  readonly read: (text: string | null) => void;
  readonly write: () => string | null;
}

const links: Link[] = [];

/**
 * Makes `target` part of the address. Call it while modules load; `startHost` reads the address once. With `place`, a change of it
 * is a step the user can go back from.
 */
export function linkSignal<T>(key: string, target: { value: T }, codec: LinkCodec<T>, place = false): void {
  links.push({
    key,
    place,
    read: (text) => {
      const value = codec.decode(text);
      if (value !== undefined) target.value = value;
    },
    write: () => codec.encode(target.value),
  });
}

/** A word that is not mentioned while it is `initial`. */
export function wordLink(initial: string): LinkCodec<string> {
  return { encode: (word) => (word === initial ? null : word), decode: (text) => text ?? initial };
}

/** Something that is on or off, and not mentioned while it is as it began. */
export function switchLink(initial: boolean): LinkCodec<boolean> {
  return {
    encode: (on) => (on === initial ? null : on ? "1" : "0"),
    decode: (text) => (text === null ? initial : text === "1"),
  };
}

/**
 * Paths that begin alike are written shortly: `8~x` is `x` after the first eight characters of the path before it. What has a meaning here is written
 * as `%` and its code; `%` alone is the empty text, which tells a set of it from the empty set.
 */
export function writeSet(all: ReadonlySet<string>): string {
  let before = "";
  const parts = [...all].sort().map((text) => {
    let shared = 0;
    for (let at = 0; at < text.length && text[at] === before[at]; at += 1) if (text[at] === "/") shared = at + 1;
    before = text;
    const rest = text.slice(shared).replace(/[%,~]/g, (sign) => `%${sign.charCodeAt(0).toString(16)}`);
    return shared > 0 ? `${shared}~${rest}` : rest || "%";
  });
  return parts.join();
}

/** The inverse of `writeSet`. Any text is a set, so that no address stops the page. */
export function readSet(text: string): ReadonlySet<string> {
  let before = "";
  const parts = text === "" ? [] : text.split(",");
  return new Set(
    parts.map((part) => {
      const start = /^\d+~/.exec(part)?.[0] ?? "";
      const rest = part
        .slice(start.length)
        .replace(/%(25|2c|7e)?/g, (sign) => (sign === "%" ? "" : decodeURIComponent(sign)));
      return (before = before.slice(0, parseInt(start) || 0) + rest);
    }),
  );
}

/** Several texts, not mentioned while they are those of `initial`; a link without them means `unsaid`. */
export function setLink<T extends string>(
  initial: ReadonlySet<T>,
  unsaid: () => ReadonlySet<T> = () => initial,
): LinkCodec<ReadonlySet<T>> {
  return {
    encode: (all) => {
      const text = writeSet(all);
      return text === writeSet(initial) ? null : text;
    },
    decode: (text) => (text === null ? unsaid() : (readSet(text) as ReadonlySet<T>)),
  };
}

/** A text, or null for none. */
export const textLink: LinkCodec<string | null> = { encode: (value) => value, decode: (text) => text };

/** A choice from `values` that is not mentioned while it is `initial`. */
export function choiceLink<T extends string>(initial: T, values: readonly T[]): LinkCodec<T> {
  return {
    encode: (value) => (value === initial ? null : value),
    decode: (text) => (text === null ? initial : values.find((value) => value === text)),
  };
}

/** A whole number, or null for none. */
export const stepLink: LinkCodec<number | null> = {
  encode: (value) => (value === null ? null : String(value)),
  decode: (text) => (text === null ? null : /^\d{1,16}$/.test(text) ? Number(text) : undefined),
};

/** Our keys in a hash such as `#tb_activations&p.tb_activations.node=encoder%2Fconv2d`. */
export function parseHash(hash: string): ReadonlyMap<string, string> {
  const found = new Map<string, string>();
  for (const part of hash.replace(/^#/, "").split("&")) {
    const equals = part.indexOf("=");
    if (!part.startsWith(PREFIX) || equals < 0) continue;
    try {
      found.set(part.slice(PREFIX.length, equals), decodeURIComponent(part.slice(equals + 1)));
    } catch {
      // Not ours: we always write valid percent-encoding.
    }
  }
  return found;
}

/** `hash` with our keys replaced by `entries`; keys of others stay as they are. */
export function formatHash(hash: string, entries: Iterable<readonly [string, string]>): string {
  const [tab, ...others] = hash.replace(/^#/, "").split("&");
  const kept = others.filter((part) => part !== "" && !part.startsWith(PREFIX));
  const ours = [...entries].map(([key, value]) => `${PREFIX}${key}=${encodeURIComponent(value)}`);
  return `#${[tab === "" ? TAB : tab, ...kept, ...ours].join("&")}`;
}

function readLinks(): void {
  const hash = host()?.location.hash ?? "";
  const found = parseHash(hash);
  for (const link of links) link.read(found.get(link.key) ?? null);
}

let writtenPlace: string | null = null;
let writeTimer: ReturnType<typeof setTimeout> | undefined;

function scheduleWrite(): void {
  clearTimeout(writeTimer);
  writeTimer = setTimeout(writeLinks, WRITE_DELAY);
}

function placeNow(): string {
  return JSON.stringify(links.filter((link) => link.place).map((link) => link.write()));
}

/** The address of what is on screen, with `more`; null where the host's address can't be reached. */
export function linkToHere(more: readonly (readonly [string, string])[]): string | null {
  const target = host();
  if (target === null) return null;
  return new URL(formatHash(target.location.hash, new Map([...entries(), ...more])), target.location.href).href;
}

/** What the page chose by itself is no step to go back from. */
export function replacePlace(): void {
  writtenPlace = null;
}

function entries(): (readonly [string, string])[] {
  return links.flatMap((link) => {
    const text = link.write();
    return text === null ? [] : [[link.key, text] as const];
  });
}

/** A hidden tab writes nothing: the address belongs to the tab that is on screen. */
function writeLinks(): void {
  const target = host();
  if (target === null || !visible.peek()) return;
  const place = placeNow();
  const hash = formatHash(target.location.hash, entries());
  const moved = writtenPlace !== null && writtenPlace !== place;
  writtenPlace = place;
  if (hash === target.location.hash) return;
  const state = { ...(target.history.state as object | null), tbActivations: true };
  if (moved) target.history.pushState(state, "", hash);
  else target.history.replaceState(state, "", hash);
}

/** Back and forward come to entries we wrote; a link that the user opens in the same tab changes the hash while we are on screen. */
function followHistory(): void {
  host()?.addEventListener("popstate", (event) => {
    const ours = (event.state as { tbActivations?: boolean } | null)?.tbActivations === true;
    const opened = performance.now() - shownAt > TAB_CLICK && parseHash(host()?.location.hash ?? "").size > 0;
    if (!visible.peek() || !(ours || opened)) {
      scheduleWrite();
      return;
    }
    clearTimeout(writeTimer);
    readLinks();
    writtenPlace = placeNow();
  });
}

/** On a page that was opened at our tab nothing has the focus: our keys act at once. It is taken from nothing else, so not from a notebook either. */
function takeFocus(): void {
  const page = host()?.document;
  if (page?.hasFocus() === true && page.activeElement === page.body) window.focus();
}

/** Reads the address and starts to follow the host. Once, before the first render. */
export function startHost(): void {
  watchTheme();
  watchVisibility();
  readLinks();
  let first = true;
  effect(() => {
    entries();
    if (first) first = false;
    else scheduleWrite();
  });
  followHistory();
  takeFocus();
}
