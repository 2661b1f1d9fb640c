// @vitest-environment jsdom
import { readFileSync } from "node:fs";
import { expect, test, vi } from "vitest";
import type { LinkCodec } from "./host";

const registered = vi.hoisted(() => new Map<string, { readonly codec: LinkCodec<unknown>; readonly first: unknown }>());

vi.mock("./host", async (original) => ({
  ...(await original<object>()),
  linkSignal: (key: string, target: { value: unknown }, codec: LinkCodec<unknown>) =>
    registered.set(key, { codec, first: target.value }),
}));

await import("./links");

/** Every key of the address: a text for it, and what that means. */
const CASES: Readonly<Record<string, readonly [text: string, value: unknown]>> = {
  run: ["a/train", "a/train"],
  node: ["a/b", "a/b"],
  view: ["matrix", "matrix"],
  step: ["7", 7],
  quantity: ["gradient", "gradient"],
  statistic: ["max", "max"],
  compare_run: ["b/train", "b/train"],
  compare_step: ["7", 7],
  enlarged: ["1", true],
  nodes: ["0", false],
  columns: ["class,number", new Set(["class", "number"])],
  folds: ["a/b,2~c", new Set(["a/b", "a/c"])],
  search: ["conv", "conv"],
  regex: ["1", true],
  state: ["available", "available"],
  kind: ["layer", "layer"],
  finding: ["any", "any"],
  sort: ["-max", { by: "max", descending: true }],
  zoom: ["70-350", { first: 70, last: 350 }],
  color: ["findings", "findings"],
  variables: ["1", true],
  gradients: ["1", true],
  open: ["a,b", new Set(["a", "b"])],
  camera: ["0.5,0.25,1.2", "0.5,0.25,1.2"],
  scale: ["linear", "linear"],
  domain: ["row", "row"],
  rows: ["recorded", "recorded"],
  severity: ["warning", "warning"],
  rule: ["dead_relu", "dead_relu"],
  every: ["1", true],
  axes: ["heat:.2.1,images:3.1.2", { heat: { tile: null, row: 2, column: 1 }, images: { tile: 3, row: 1, column: 2 } }],
  held: ["0.4.0", [0, 4, 0]],
  example: ["2", 2],
  beside: ["1", true],
  picture: ["heat", "heat"],
  minus: ["first", "first"],
  extent: ["gradient:step", { value: "percentile", gradient: "step", update: "percentile" }],
  axis: ["gradient:linear", { value: "linear", gradient: "linear", update: "log" }],
  root: ["0", false],
  lines: ["mean,max", new Set(["mean", "max"])],
  histogram: ["ridges", "ridges"],
  tile: ["3", 3],
  line: ["1", 1],
  page: ["2", 2],
  sorting: ["size", "size"],
  tables: ["histogram,statistics", new Set(["histogram", "statistics"])],
};

test("every key of the address has a case here, and a place in the browser's tests", () => {
  expect([...registered.keys()].sort()).toEqual(Object.keys(CASES).sort());
  const spec = readFileSync("tests/browser/links.spec.ts", "utf8");
  const opened = (key: string): boolean => new RegExp(`[{ ,]${key}: "`).test(spec);
  expect(Object.keys(CASES).filter((key) => !opened(key))).toEqual([]);
});

test.each(Object.entries(CASES))("%s is read as it is written", (key, [text, value]) => {
  const { codec, first } = registered.get(key)!;
  expect(codec.decode(text)).toEqual(value);
  expect(codec.encode(value)).toBe(text);
  expect(codec.encode(first), "what the page begins with needs no mention").toBeNull();
  expect(codec.decode(null), "and is what an address without the key means").toEqual(first);
});

test.each(Object.keys(CASES))("any text is a value of %s or none", (key) => {
  const { codec } = registered.get(key)!;
  for (const text of ["", "%", "-1", "1e999", "NaN,NaN,NaN", ":.", "heat:9.9.9,heat", "a:b,c:d", "__proto__:1.2.3"]) {
    const value = codec.decode(text);
    if (value !== undefined) expect(["string", "object"]).toContain(typeof codec.encode(value));
  }
});
