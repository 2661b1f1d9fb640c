/*
 * What a screen reader needs beyond the elements themselves: language and title of the document (TensorBoard's entry page has neither), and
 * one live region. The one invariant: the region changes at most once a second, and the last of several messages is the one read.
 */

const INTERVAL_MS = 1000;

let region: HTMLElement | null = null;
let waiting: string | null = null;
let timer: ReturnType<typeof setTimeout> | undefined;

/** Names the document and adds the live region. Called once, before the first render. */
export function prepareDocument(): void {
  document.documentElement.lang = "en";
  document.title = "Activations";
  region = document.createElement("div");
  region.className = "sr";
  region.setAttribute("role", "status");
  region.setAttribute("aria-live", "polite");
  document.body.append(region);
}

/** Has `message` read soon. */
export function announce(message: string): void {
  waiting = message;
  if (timer === undefined) flush();
}

function flush(): void {
  if (waiting === null) {
    timer = undefined;
    return;
  }
  if (region !== null) region.textContent = waiting;
  waiting = null;
  timer = setTimeout(flush, INTERVAL_MS);
}
