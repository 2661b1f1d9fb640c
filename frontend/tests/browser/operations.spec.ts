/* The TensorFlow operations of the step: searched from the foot of the list, with the code that records what was found. */
import { afterAll, afterEach, beforeEach, expect, it } from "vitest";
import { eventually, quit, Tab } from "./harness";

afterAll(quit);

let tab: Tab;
beforeEach(async () => {
  tab = await Tab.open({ link: { run: "digits/train", node: "encoder/pool" } });
  await tab.row("encoder/pool").waitFor();
  await tab.frame.getByRole("button", { name: "operations" }).click();
});
afterEach(async () => tab.close());

const dialog = () => tab.frame.getByRole("dialog");
const rows = (): Promise<string[]> => dialog().locator("tbody tr").allInnerTexts();
const said = (words: string): Promise<string> =>
  eventually(
    () => dialog().getByRole("status").innerText(),
    (text) => text === words,
  );

it("begins at the chosen node, and says what each operation gives and reads and where it was made", async () => {
  await said("1 of 212");
  expect((await rows()).map((row) => row.split("\t"))).toEqual([
    [
      "encoder/pool/MaxPool",
      "MaxPool",
      "float32 [None, 7, 7, 8]",
      "encoder/conv2d/Part_0, encoder/conv2d/Part_209",
      "",
    ],
  ]);
  expect(await dialog().locator(".code").innerText()).toContain('ops=[r"(?i)encoder/pool/"]');
  expect(await tab.accessibilityProblems()).toEqual([]);
  await tab.shoot("operations");
});

it("finds names and types in any case, shows the first of many, and interprets nothing", async () => {
  const search = dialog().getByRole("textbox");
  await search.fill("CONV2D");
  await said("210 of 212, the first 200");
  expect(await rows()).toHaveLength(200);
  expect((await rows())[0]).toContain("model.py:12");
  await search.fill("<b>");
  await said("1 of 212");
  expect(await dialog().locator("tbody tr").innerText()).toContain("adam/<b>Assign</b>");
  await search.fill("nothing like this");
  await said("0 of 212");
  expect(await dialog().locator("table, .code").count()).toBe(0);
});

it("closes with Escape and gives the focus back", async () => {
  await said("1 of 212");
  await tab.page.keyboard.press("Escape");
  await dialog().waitFor({ state: "detached" });
  expect(await tab.frame.locator(":focus").innerText()).toBe("operations");
});
