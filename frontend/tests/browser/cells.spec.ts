/* Pictures of values can be read cell by cell with keys: on the screen, and by who hears them. */
import { afterAll, expect, it } from "vitest";
import { formatCount, formatFull, formatNumber } from "../../src/format";
import { eventually, handover, quit, Tab } from "./harness";

afterAll(quit);

const { step, values, strides, strided } = handover.samples;

const at = (sample: unknown, index: readonly number[]): number =>
  index.reduce<unknown>((part, place) => (part as readonly unknown[])[place], sample) as number;

async function open(node: string, run = "digits/train"): Promise<Tab> {
  const tab = await Tab.open({ link: { run, node, step: String(step) } });
  await tab.frame.locator("[data-panel] .picture").first().waitFor();
  return tab;
}

async function read(tab: Tab, keys: readonly string[]): Promise<{ tip: string; heard: string }> {
  for (const key of keys) await tab.page.keyboard.press(key);
  await tab.page.waitForTimeout(1200); // the live region speaks once a second
  return {
    tip: await tab.frame.locator("[data-panel] .tip").innerText(),
    heard: (await tab.frame.locator("[role=status].sr").textContent()) ?? "",
  };
}

it.each([
  ["encoder/conv2d", /channels of the value/, ["ArrowRight", "ArrowRight", "ArrowDown", "PageDown"], [0, 1, 1, 1]],
  ["encoder/attention", /heads of the value/, ["ArrowRight", "ArrowDown", "ArrowDown"], [0, 0, 2, 0]],
  ["head/dense", /as .* cells/, ["ArrowRight", "End", "ArrowDown"], [1, 9]],
] as const)("reads %s with arrow keys", async (node, label, keys, index) => {
  const tab = await open(node);
  const picture = tab.frame.getByRole("group", { name: label });
  await picture.focus();
  const { tip, heard } = await read(tab, keys);
  const number = formatFull(at(values[node], index));
  expect(tip).toContain(number);
  expect(tip).toContain(`[${index.join(", ")}]`);
  expect(heard).toContain(number);
  // The step stands still, and the arrow keys are the page's again elsewhere.
  expect(await tab.step()).toBe(step);
  await tab.page.keyboard.press("Escape");
  await tab.frame.locator("[data-panel] .tip").waitFor({ state: "detached" });
  expect(await tab.accessibilityProblems()).toEqual([]);
  await tab.close();
});

it("reads an image of which not every row and column was kept by its places in the whole", async () => {
  const tab = await open("encoder/conv2d", "second/train");
  await tab.frame.getByRole("group", { name: /channels of the value/ }).focus();
  const { tip, heard } = await read(tab, ["ArrowRight", "ArrowRight", "ArrowDown"]);
  expect(tip).toContain(formatFull(at(strided, [0, 1, 1, 0])));
  expect(tip).toContain(`[0, ${strides[1]}, ${strides[2]}, 0]`);
  expect(heard).toContain(`row ${strides[1]}, column ${strides[2]}, channel 0`);
  expect(await tab.frame.locator(".card-foot").last().innerText()).toContain(
    `1 in ${strides[1]} rows kept · 1 in ${strides[2]} columns kept`,
  );
  await tab.close();
});

it.each(["conv2d", "photo"])(
  "shows beside the channels of %s the image that they come from, in its colours",
  async (node) => {
    const tab = await Tab.open({ server: "large", link: { run: "colored/train", node } });
    const image = tab.frame.locator(".input-thumb canvas").first();
    await image.waitFor();
    const colors = await image.evaluate((canvas: HTMLCanvasElement) => {
      const pen = canvas.getContext("2d");
      return [0.25, 0.75].map((x) => [...(pen?.getImageData(canvas.width * x, canvas.height / 2, 1, 1).data ?? [])]);
    });
    expect(colors).toEqual([
      [255, 0, 0, 255],
      [0, 0, 255, 255],
    ]);
    await tab.close();
  },
);

it("a click on a picture leaves the arrow keys to the steps", async () => {
  const tab = await open("head/dense");
  await tab.frame.getByRole("group", { name: /as .* cells/ }).click();
  await tab.page.keyboard.press("ArrowLeft");
  await eventually(
    () => tab.step(),
    (now) => now === step - 7,
  );
  await tab.close();
});

it("says how wide each head of an attention map looks", async () => {
  const tab = await open("encoder/attention");
  const heads = (values["encoder/attention"][0] as number[][][]).map((rows) => {
    const entropies = rows
      .filter((row) => row.every((share) => share >= 0) && Math.abs(row.reduce((a, b) => a + b) - 1) < 0.05)
      .map((row) => -row.reduce((sum, share) => sum + (share > 0 ? share * Math.log(share) : 0), 0));
    return entropies.reduce((a, b) => a + b, 0) / entropies.length;
  });
  const words = await tab.frame.locator(".card-foot").first().innerText();
  const expected = `entropy ${heads.map((each) => formatNumber(each)).join(", ")} of at most ${formatNumber(Math.log(6))}`;
  if (heads.every(Number.isNaN)) expect(words).not.toContain("entropy");
  else expect(words).toContain(expected);
  await tab.close();
});

it("the histogram has a table of its numbers", async () => {
  const tab = await open("head/dense");
  const card = tab.frame.locator(".card", { hasText: "Histogram over steps" });
  await card.getByRole("button", { name: "Export and table" }).click();
  await card.getByRole("button", { name: "Show as a table" }).click();
  const table = card.getByRole("table", { name: "Share of elements by step and bin" });
  expect(await table.getAttribute("aria-rowcount")).toBe(String(handover.runs["digits/train"].steps.length + 1));
  expect(await table.innerText()).toContain(formatCount(step));
  await tab.close();
});
