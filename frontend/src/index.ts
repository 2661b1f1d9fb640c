import { h, render as renderInto } from "preact";
import { App } from "./app";
import "./theme/tokens.css";
import "./app.css";

/** Called by TensorBoard's entry page once this module is loaded. */
export function render(): void {
  renderInto(h(App, null), document.body);
}
