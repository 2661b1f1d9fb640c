// @vitest-environment jsdom
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { addShortcuts, allShortcuts, setSingleKeys, startKeys } from "./keys";

startKeys();
const pressed = vi.fn<(key: string) => void>();
const shortcut = (key: string): { keys: string[]; shown: string[]; does: string; run: () => void } => ({
  keys: [key],
  shown: [key],
  does: key,
  run: () => pressed(key),
});
let remove: () => void;

beforeEach(() => {
  pressed.mockClear();
  setSingleKeys(true);
  document.body.replaceChildren(...["input", "button", "div"].map((name) => document.createElement(name)));
  remove = addShortcuts(["v", "?", "ArrowLeft", "Shift+ArrowLeft", " ", "Enter"].map(shortcut));
});
afterEach(() => remove());

function press(selector: string, init: KeyboardEventInit): boolean {
  const event = new KeyboardEvent("keydown", { bubbles: true, cancelable: true, ...init });
  document.querySelector(selector)?.dispatchEvent(event);
  return event.defaultPrevented;
}

test("a key does what it says, and the page doesn't scroll by it", () => {
  expect(press("div", { key: "v" })).toBe(true);
  expect(press("div", { key: "?", shiftKey: true })).toBe(true);
  expect(press("div", { key: "ArrowLeft", shiftKey: true })).toBe(true);
  expect(pressed.mock.calls.flat()).toEqual(["v", "?", "Shift+ArrowLeft"]);
});

test.each([{ ctrlKey: true }, { metaKey: true }, { altKey: true }])(
  "a key with %o belongs to the browser",
  (modifier) => {
    expect(press("div", { key: "v", ...modifier })).toBe(false);
    expect(pressed).not.toHaveBeenCalled();
  },
);

test("an input keeps its keys, and a button its own two", () => {
  press("input", { key: "v" });
  press("input", { key: "ArrowLeft" });
  press("button", { key: " " });
  press("button", { key: "Enter" });
  expect(pressed).not.toHaveBeenCalled();
  press("button", { key: "v" });
  expect(pressed).toHaveBeenCalledOnce();
});

test("what somebody nearer has used is not used again", () => {
  const element = document.querySelector("div");
  element?.addEventListener("keydown", (event) => event.preventDefault(), { once: true });
  press("div", { key: "ArrowLeft" });
  expect(pressed).not.toHaveBeenCalled();
});

test("single characters can be switched off; arrows stay", () => {
  setSingleKeys(false);
  press("div", { key: "v" });
  press("div", { key: "ArrowLeft" });
  expect(pressed.mock.calls.flat()).toEqual(["ArrowLeft"]);
});

test("a view that goes takes its keys with it", () => {
  remove();
  press("div", { key: "v" });
  expect(pressed).not.toHaveBeenCalled();
  expect(allShortcuts()).toEqual([]);
  remove = (): void => undefined;
});
