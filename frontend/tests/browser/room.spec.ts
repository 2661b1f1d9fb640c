/* On a small laptop, 1280 × 720: everything that can be opened is in sight, and everything that is shown can be read. */
import { afterAll, afterEach, expect, it } from "vitest";
import { eventually, quit, Tab } from "./harness";

afterAll(quit);

let tab: Tab;
afterEach(async () => tab.close());

const SECOND = "second/train";

interface Box {
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
}

async function open(link: Readonly<Record<string, string>>, width = 1280): Promise<void> {
  tab = await Tab.open({ link: { run: "digits/train", step: "350", ...link }, width, height: 720 });
  await tab.row("image").waitFor();
}

async function boxOf(selector: string, index = 0): Promise<Box> {
  const element = tab.frame.locator(selector).nth(index);
  await element.waitFor();
  const box = await element.boundingBox();
  if (box === null) throw new Error(`${selector} is not on screen`);
  return box;
}

it("every menu of the panel opens to where it is whole, or scrolls", async () => {
  await open({ node: "encoder/conv2d" });
  await tab.frame.locator(".panel .popover > button").first().waitFor();
  const buttons = tab.frame.locator(".panel .popover > button");
  for (const button of await buttons.all()) {
    await button.click();
    const { y, height } = await boxOf(".popover-body");
    expect(y).toBeGreaterThanOrEqual(64);
    expect(y + height).toBeLessThanOrEqual(720);
    const last = tab.frame.locator(".popover-body :is(button, input)").last();
    await last.scrollIntoViewIfNeeded();
    // A click that would land on something else fails.
    await last.click({ trial: true });
    await tab.page.keyboard.press("Escape");
  }
  expect(await buttons.count()).toBe(4);
});

it("value beside gradient stand side by side, each with its words below it", async () => {
  await open({ node: "encoder/conv2d", beside: "1" });
  const [left, right] = [await boxOf(".panel-pictures > .card", 0), await boxOf(".panel-pictures > .card", 1)];
  expect(right.y).toBe(left.y);
  expect(right.x).toBeGreaterThanOrEqual(left.x + left.width);
  for (const index of [0, 1]) {
    const picture = await boxOf(".panel-pictures > .card .tiles", index);
    const foot = await boxOf(".panel-pictures > .card .card-foot", index);
    expect(picture.height).toBeGreaterThan(100);
    expect(foot.y).toBeGreaterThanOrEqual(picture.y + picture.height);
    expect(foot.y + foot.height).toBeLessThanOrEqual(720);
  }
  await tab.shoot("beside-1280");
});

it("a finding's words have half of the table, and are wholly in it", async () => {
  await open({ view: "findings" });
  const [table, words, evidence] = [
    await boxOf(".fd"),
    await boxOf(".fd tbody td:nth-child(5)"),
    await boxOf(".fd tbody td:nth-child(4)"),
  ];
  expect(words.width).toBeGreaterThan(table.width / 2);
  expect(words.x + words.width).toBeLessThanOrEqual(table.x + table.width);
  expect(evidence.x + evidence.width).toBeLessThanOrEqual(words.x);
  await tab.shoot("findings-1280");
});

it("what is compared stands beside the value, names stay readable and the tools of the graph in one line", async () => {
  await open({ node: "encoder/conv2d" });
  await tab.frame.getByRole("combobox", { name: "Compare" }).selectOption(`run:${SECOND}`);
  await tab.frame.locator(".pair > figure").nth(1).waitFor();
  const name = tab.frame.locator(".row .path").filter({ hasText: "head/dense/kernel" }).first();
  await name.waitFor();
  expect(await name.evaluate((element) => element.scrollWidth - element.clientWidth)).toBeLessThanOrEqual(0);
  await tab.frame.locator(".legend").waitFor();
  expect((await boxOf(".tabs")).height).toBeLessThan(40);
  await tab.shoot("compare-1280");
  await tab.frame.getByRole("combobox", { name: "Compare" }).selectOption("none");
  await tab.frame.locator(".pair").waitFor({ state: "detached" });
});

it("where nothing can stand beside the value, it stands alone, and words say why", async () => {
  await open({ node: "encoder/conv2d" });
  await tab.frame.getByRole("combobox", { name: "Compare" }).selectOption("step:here");
  const note = tab.frame.locator(".panel-pictures .card-note");
  await eventually(
    () => note.innerText(),
    (text) => text.includes("The step that is compared is the one on show."),
  );
  await tab.frame.locator(".panel-pictures .tiles").waitFor();
});

it("a title is whole on a small screen too, for half a number is another number", async () => {
  tab = await Tab.open({
    link: { run: "digits/train", step: "350", node: "encoder/conv2d" },
    ...{ width: 1024, height: 700 },
  });
  const titles = tab.frame.locator(".card-head > h3");
  await titles.filter({ hasText: "Value at step 350" }).waitFor();
  for (const title of await titles.all())
    expect(await title.evaluate((element) => element.scrollWidth - element.clientWidth)).toBeLessThanOrEqual(0);
  await tab.shoot("titles-1024");
});

it.each([700, 640])("in %i pixels the top bar is one line, also with findings", async (width) => {
  await open({}, width);
  await tab.frame.getByRole("button", { name: /findings/ }).waitFor();
  expect((await boxOf(".top")).height).toBeLessThan(45);
  await tab.shoot(`findings-${width}`);
});
