/* A node without values says why, what to do, with code to paste, and where it was made. */
import { afterAll, expect, it } from "vitest";
import { handover, quit, Tab } from "./harness";

afterAll(quit);

const RUN = "digits/train";
const plain = (text: string): string => text.replaceAll("`", "").replace(/\s+/g, " ").trim();

it.each(handover.runs[RUN].nodes.filter((node) => node.state !== "materialized").map((node) => node.name))(
  "explains %s",
  async (name) => {
    const node = handover.runs[RUN].nodes.find((each) => each.name === name)!;
    const tab = await Tab.open({ link: { run: RUN, node: name } });
    await tab.frame.locator(".reason h2").first().waitFor();
    const text = plain(await tab.frame.locator("[data-panel]").innerText());
    expect(text.toLowerCase()).toContain(`${node.state}: ${node.title}`.toLowerCase());
    expect(text).toContain(plain(node.sentence));
    expect(text).toContain(plain(node.remedy));
    expect(text).toMatch(/model\.py:\d+/);
    if (node.source !== "") {
      const lines = await tab.frame.locator(".reason aside .code").innerText();
      for (const line of node.source.split("\n")) expect(lines).toContain(line);
      expect(await tab.frame.locator(".reason aside .code .here").innerText()).toContain("unused = layers.Dense(4)(x)");
    }
    if (node.code !== "") {
      const code = tab.frame.locator(".reason .code").filter({ hasText: node.code.trim().split("\n")[0] });
      await code.getByRole("button", { name: "Copy", exact: true }).first().click();
      await code.getByRole("button", { name: "Copied" }).first().waitFor();
      const copied = await tab.page.evaluate(() => navigator.clipboard.readText());
      expect(copied.trim()).toBe(node.code.trim());
    }
    await tab.shoot(`reason-${name}`);
    await tab.close();
  },
);

it("explains a quantity that a node lacks", async () => {
  const tab = await Tab.open({ link: { run: RUN, node: "encoder/flatten", quantity: "gradient" } });
  await tab.frame.locator(".reason h2").first().waitFor();
  expect(await tab.frame.locator("[data-panel]").innerText()).toContain("No gradient: not selected");
  await tab.close();
});

it("shows code to paste to its end, however narrow the page", async () => {
  const node = handover.runs[RUN].nodes.find((each) => each.name === "unused")!;
  const tab = await Tab.open({ link: { run: RUN, node: node.name, enlarged: "1" }, width: 400, height: 800 });
  const lines = tab.frame
    .locator(".reason .code-lines")
    .filter({ hasText: node.code.trim().split("\n")[0] })
    .first();
  expect((await lines.innerText()).split(/\s+/)).toEqual(node.code.trim().split(/\s+/));
  const hidden = await lines.evaluate((element) => element.scrollWidth - element.clientWidth);
  expect(hidden).toBe(0);
  await tab.close();
});
