/* What axe-core can see of WCAG 2.2 AA, in every view and both themes; zoom, narrow and large windows. */
import { afterAll, describe, expect, it } from "vitest";
import { handover, quit, Tab } from "./harness";
import type { TabOptions } from "./harness";

afterAll(quit);

const HOSTILE = Object.keys(handover.runs).find((name) => name.includes("<img"))!;
const PLACES: Readonly<Record<string, TabOptions>> = {
  graph: { link: { run: "digits/train", node: "encoder/conv2d", step: "448" } },
  matrix: { link: { run: "digits/train", node: "head/dense", step: "448", view: "matrix" } },
  findings: { link: { run: "digits/train", node: "head/dense/kernel", quantity: "gradient", view: "findings" } },
  reason: { link: { run: "digits/train", node: "unused" } },
  comparison: { link: { run: "digits/train", node: "encoder/conv2d", compare_run: "second/train" } },
  hostile: { link: { run: HOSTILE } },
  empty: { server: "empty", expect: ".empty h1" },
  missing: { link: { run: "gone" }, expect: ".empty h1" },
};

async function settled(options: TabOptions): Promise<Tab> {
  const tab = await Tab.open(options);
  if (options.expect === undefined) await tab.frame.locator("[role=row]").first().waitFor();
  await tab.page.waitForTimeout(700);
  return tab;
}

describe.each([false, true])("dark: %s", (dark) => {
  it.each(Object.keys(PLACES))("%s has nothing that axe-core objects to", async (place) => {
    const tab = await settled({ ...PLACES[place], dark });
    const problems = await tab.accessibilityProblems();
    await tab.shoot(`${place}-${dark ? "dark" : "light"}`);
    expect(problems).toEqual([]);
    await tab.close();
  });
});

const SIZES: readonly (readonly [string, TabOptions])[] = [
  ["1280 × 720", { width: 1280, height: 720 }],
  ["3840 × 2160", { width: 3840, height: 2160 }],
  ["200 % zoom", { width: 1440, height: 900, zoom: 2 }],
  ["a notebook's narrow frame", { width: 700, height: 800 }],
  ["a phone's width", { width: 400, height: 800 }],
];

it.each(SIZES)("fits %s", async (name, size) => {
  const tab = await settled({ ...PLACES.graph, ...size });
  const outside = await (
    await tab.inside()
  ).evaluate(() => {
    const clipped = (element: Element): boolean => element.closest("[hidden], .sr, dialog") !== null;
    return [...document.querySelectorAll("button, select, input, [role=slider], [role=tab]")]
      .filter((element) => !clipped(element))
      .map((element) => ({
        box: element.getBoundingClientRect(),
        name: element.getAttribute("aria-label") ?? element.textContent,
      }))
      .filter(({ box }) => box.width > 0 && (box.right > innerWidth + 1 || box.left < -1))
      .map(({ box, name }) => `${name}: ${Math.round(box.left)} … ${Math.round(box.right)} of ${innerWidth}`);
  });
  await tab.shoot(`size-${name.replace(/\W+/g, "-")}`);
  expect(outside).toEqual([]);
  expect(await tab.accessibilityProblems()).toEqual([]);
  await tab.close();
});
