// @vitest-environment jsdom
import type * as Signals from "@preact/signals";
import { beforeEach, describe, expect, test, vi } from "vitest";
import type * as Host from "./host";

/** Modules with a state of their own, fresh for each test, as on a new page; what it shall follow is made of its own signals. */
async function freshPage(hash: string): Promise<typeof Host & Pick<typeof Signals, "signal">> {
  vi.resetModules();
  window.location.hash = hash;
  window.matchMedia = vi.fn(() => ({
    matches: false,
    addEventListener: () => undefined,
  })) as unknown as typeof window.matchMedia;
  const { signal } = await import("@preact/signals");
  return { ...(await import("./host")), signal };
}

describe("a hash", () => {
  test("gives back what was written, whatever the text holds", async () => {
    const { formatHash, parseHash } = await freshPage("");
    const texts = ["encoder/conv2d", "a=b&c#d", "100%", "π → 😀", "<img src=x>", "p.tb_activations.node=x", " ", ""];
    for (const text of texts) {
      expect(parseHash(formatHash("#tb_activations", [["node", text]])).get("node")).toBe(text);
    }
  });

  test("keeps the tab and the keys of others, and replaces ours", async () => {
    const { formatHash } = await freshPage("");
    const hash = "#scalars&p.other.x=1&p.tb_activations.node=old&_smoothing=0.6";
    expect(formatHash(hash, [["run", "a/b"]])).toBe("#scalars&p.other.x=1&_smoothing=0.6&p.tb_activations.run=a%2Fb");
  });

  test("without a tab gets ours", async () => {
    const { formatHash } = await freshPage("");
    expect(formatHash("", [["run", "a"]])).toBe("#tb_activations&p.tb_activations.run=a");
  });

  test("with broken percent-encoding is passed over", async () => {
    const { parseHash } = await freshPage("");
    expect([...parseHash("#t&p.tb_activations.node=%E0%A4%A&p.tb_activations.run=r")]).toEqual([["run", "r"]]);
  });
});

describe("a linked signal", () => {
  beforeEach(() => {
    Object.defineProperty(window, "innerHeight", { value: 800, configurable: true });
  });

  test("starts as the address says, and refuses what is no value", async () => {
    const { choiceLink, linkSignal, startHost, stepLink, textLink, signal } = await freshPage(
      "#tb_activations&p.tb_activations.node=a%2Fb&p.tb_activations.step=2400&p.tb_activations.view=nonsense",
    );
    const [node, step, view] = [
      signal<string | null>(null),
      signal<number | null>(null),
      signal<"graph" | "matrix">("matrix"),
    ];
    linkSignal("node", node, textLink);
    linkSignal("step", step, stepLink);
    linkSignal("view", view, choiceLink("graph", ["graph", "matrix"]));
    startHost();
    expect([node.value, step.value, view.value]).toEqual(["a/b", 2400, "matrix"]);
  });

  test("is written once it rests, and not while it has its first value", async () => {
    vi.useFakeTimers();
    const { choiceLink, linkSignal, linkToHere, startHost, stepLink, signal } = await freshPage("#tb_activations");
    const [step, view] = [signal<number | null>(null), signal<"graph" | "matrix">("graph")];
    linkSignal("step", step, stepLink);
    linkSignal("view", view, choiceLink("graph", ["graph", "matrix"]));
    startHost();
    for (let at = 0; at < 100; at += 1) step.value = at;
    expect(window.location.hash).toBe("#tb_activations");
    expect(linkToHere([])).toMatch(/#tb_activations&p\.tb_activations\.step=99$/);
    vi.runAllTimers();
    expect(window.location.hash).toBe("#tb_activations&p.tb_activations.step=99");
    vi.useRealTimers();
  });

  test("makes a history entry when the place changes, and none when it doesn't", async () => {
    vi.useFakeTimers();
    const { linkSignal, startHost, stepLink, textLink, signal } = await freshPage("#tb_activations");
    const [node, step] = [signal<string | null>(null), signal<number | null>(null)];
    linkSignal("node", node, textLink, true);
    linkSignal("step", step, stepLink);
    startHost();
    step.value = 1;
    vi.runAllTimers();
    const before = window.history.length;
    step.value = 2;
    vi.runAllTimers();
    expect(window.history.length).toBe(before);
    node.value = "a";
    vi.runAllTimers();
    expect(window.history.length).toBe(before + 1);
    vi.useRealTimers();
  });

  test("is not written by a hidden tab", async () => {
    vi.useFakeTimers();
    const { linkSignal, startHost, textLink, signal } = await freshPage("#scalars");
    Object.defineProperty(window, "innerHeight", { value: 0, configurable: true });
    const node = signal<string | null>(null);
    linkSignal("node", node, textLink);
    startHost();
    window.dispatchEvent(new Event("resize"));
    node.value = "a";
    vi.runAllTimers();
    expect(window.location.hash).toBe("#scalars");
    vi.useRealTimers();
  });
});

test("the state of the page survives the way through its address", async () => {
  vi.useFakeTimers();
  Object.defineProperty(window, "innerHeight", { value: 800, configurable: true });
  const first = await freshPage("#tb_activations");
  const state = await import("./state");
  const filter = await import("./nodes/filter");
  const { sort } = await import("./nodes/model");
  await import("./links");
  first.startHost();
  state.run.value = "digits/train";
  state.selectNode("encoder/conv2d@2");
  state.live.value = false;
  state.step.value = 1425;
  state.setQuantity("gradient");
  state.setStatistic("l2_norm");
  state.setView("matrix");
  state.compareRun.value = "digits/validation";
  filter.search.value = "conv|dense";
  filter.searchIsRegex.value = true;
  filter.kindFilter.value = "layer";
  sort.value = { by: "max", descending: true };
  vi.runAllTimers();
  const hash = window.location.hash;

  const second = await freshPage(hash);
  const again = await import("./state");
  const againFilter = await import("./nodes/filter");
  const { sort: againSort } = await import("./nodes/model");
  await import("./links");
  second.startHost();
  expect(again).not.toBe(state);
  expect([again.run.value, again.node.value, again.live.value, again.wantedStep.value]).toEqual([
    "digits/train",
    "encoder/conv2d@2",
    false,
    1425,
  ]);
  expect([again.quantity.value, again.statistic.value, again.view.value]).toEqual(["gradient", "l2_norm", "matrix"]);
  expect(again.compareRun.value).toBe("digits/validation");
  expect([againFilter.search.value, againFilter.searchIsRegex.value, againFilter.kindFilter.value]).toEqual([
    "conv|dense",
    true,
    "layer",
  ]);
  expect(againSort.value).toEqual({ by: "max", descending: true });
  vi.useRealTimers();
});

test("words, switches and sets are not mentioned while they are as they began, and come back as they were", async () => {
  const { setLink, switchLink, wordLink } = await freshPage("");
  const set = setLink(new Set(["a", "b"]));
  const round = <T>(link: Host.LinkCodec<T>, value: T): [string | null, T | undefined] => {
    const text = link.encode(value);
    return [text, link.decode(text)];
  };
  expect(round(wordLink("all"), "all")).toEqual([null, "all"]);
  expect(round(wordLink("all"), "x y")).toEqual(["x y", "x y"]);
  expect(round(switchLink(true), true)).toEqual([null, true]);
  expect(round(switchLink(true), false)).toEqual(["0", false]);
  expect(round(set, new Set(["b", "a"]))).toEqual([null, new Set(["a", "b"])]);
  expect(round(set, new Set(["encoder/x", "a"]))).toEqual(["a,encoder/x", new Set(["a", "encoder/x"])]);
  expect(round(set, new Set())).toEqual(["", new Set()]);
  expect(
    round(
      setLink(new Set(["a"]), () => new Set(["mine"])),
      new Set(["a"]),
    ),
  ).toEqual([null, new Set(["mine"])]);
});

test("a set survives its address, whatever the paths in it hold, and long ones are written shortly", async () => {
  const { readSet, writeSet } = await freshPage("");
  const hostile = [
    "",
    ",",
    "%",
    "%2c",
    "~",
    "4~x",
    "a,b/c",
    "a,b/c/d%",
    "//",
    "/",
    "🎉/x",
    "🎈/x",
    "ends/",
    "ends/with/",
  ];
  expect(readSet(writeSet(new Set(hostile)))).toEqual(new Set(hostile));
  for (const one of hostile) expect(readSet(writeSet(new Set([one])))).toEqual(new Set([one]));
  expect(writeSet(new Set(["encoder/a/x", "encoder/b", "head"]))).toBe("encoder/a/x,8~b,head");
  const many = new Set(Array.from({ length: 1000 }, (_, index) => `model/transformer/block${index}/attention`));
  expect(readSet(writeSet(many))).toEqual(many);
  expect(writeSet(many).length).toBeLessThan(0.7 * [...many].join().length);
  for (const text of ["%zz,%", "9~", "99~x", ",,", "~"]) expect(() => readSet(text)).not.toThrow();
});

test("a copied link names the step besides", async () => {
  const { linkSignal, linkToHere, startHost, textLink, signal } = await freshPage("#tb_activations");
  linkSignal("node", signal<string | null>("n"), textLink);
  startHost();
  expect(linkToHere([["step", "70"]])).toContain("&p.tb_activations.step=70");
});

test("the focus is taken on a page that has it nowhere, and from nothing else", async () => {
  const taken = async (): Promise<boolean> => {
    const focus = (window.focus = vi.fn());
    (await freshPage("#tb_activations")).startHost();
    return focus.mock.calls.length > 0;
  };
  const has = vi.spyOn(document, "hasFocus").mockReturnValue(true);
  expect(await taken()).toBe(true);
  // As in the cell of a notebook: another document has it.
  has.mockReturnValue(false);
  expect(await taken()).toBe(false);
  has.mockReturnValue(true);
  const input = document.body.appendChild(document.createElement("input"));
  input.focus();
  expect(await taken()).toBe(false);
  input.remove();
  has.mockRestore();
});
