/*
 * The module that TensorBoard's entry page loads. It must export `render`, and an error in it would only reach the console: so it is shown.
 */

import "./theme/tokens.css";
import "./app.css";
import "./shell/shell.css";
import { effect } from "@preact/signals";
import { h, render as renderInto } from "preact";
import { prepareDocument } from "./a11y";
import { App } from "./app";
import { startHost } from "./host";
import { startKeys } from "./keys";
import "./links";
import { startPolling } from "./live";
import { chooseFirstNode } from "./shell/first_node";
import { addPageKeys } from "./shell/page_keys";
import { theme } from "./state";

/** Not written into `new URL` below, where the bundler would look for a source of this name. */
const STYLES = "./index.css";

/** TensorBoard's entry page loads modules only; the style sheet stands beside this one. */
async function loadStyles(): Promise<void> {
  const link = document.createElement("link");
  link.rel = "stylesheet";
  link.href = new URL(STYLES, import.meta.url).href;
  const loaded = new Promise((resolve) => {
    link.addEventListener("load", resolve);
    link.addEventListener("error", resolve);
  });
  document.head.append(link);
  await loaded;
}

/** Called by TensorBoard's entry page once this module is loaded. */
export async function render(): Promise<void> {
  prepareDocument();
  try {
    await loadStyles();
    startHost();
    effect(() => {
      document.documentElement.classList.toggle("dark-mode", theme.value === "dark");
    });
    addPageKeys();
    startKeys();
    startPolling();
    chooseFirstNode();
    const root = document.createElement("div");
    root.id = "app";
    document.body.prepend(root);
    renderInto(h(App, null), root);
  } catch (error) {
    const message = document.createElement("p");
    message.textContent = `The dashboard could not start: ${String(error)}`;
    document.body.append(message);
    throw error;
  }
}
