// @vitest-environment jsdom
import { beforeEach, expect, it, vi } from "vitest";
import { openAll, openAround, openPaths, toggleScope } from "./data";
import { aroundSelected, lowRoom, openScopes } from "./options";
import { parseModel } from "./testing";

vi.mock("../state", async (original) => {
  const { signal } = await import("@preact/signals");
  return { ...(await original<object>()), nodes: signal([]) };
});
const { nodes } = (await import("../state")) as unknown as { nodes: { value: unknown } };

const scope = (name: string, inside: number): string =>
  Array.from({ length: inside }, (_, at) => `${name}/l${at}`).join("; ");

beforeEach(() => {
  openScopes.value = null;
  aroundSelected.value = new Set();
  nodes.value = parseModel([scope("a", 8), scope("b", 8), scope("c/d", 8)].join("; "));
  lowRoom.value = 200;
});

it("opens in a low view the scopes around the selection and no others", () => {
  expect([...openPaths.value]).toEqual([]);
  openAround("a/l0");
  expect([...openPaths.value]).toEqual(["a"]);
  openAround("c/d/l3");
  expect([...openPaths.value]).toEqual(["c", "c/d"]);
  lowRoom.value = 0;
  expect(openPaths.value).toEqual(new Set(["a", "b", "c", "c/d"]));
});

it("keeps what the user opened, whatever is selected", () => {
  toggleScope("b");
  openAround("a/l0");
  expect(openPaths.value).toEqual(new Set(["a", "b"]));
  openAll(false);
  expect(openPaths.value.size).toBe(0);
});

it("forgets the scopes of another model", () => {
  openAround("a/l0");
  nodes.value = parseModel(scope("z", 2));
  expect(openPaths.value).toContain("z");
});
