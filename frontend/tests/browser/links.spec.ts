/* Every state has an address that survives a reload, going back, and TensorBoard's own tabs. */
import { afterAll, expect, it } from "vitest";
import { eventually, quit, Tab } from "./harness";

afterAll(quit);

const PLACE = { run: "digits/train", node: "encoder/conv2d", step: "350", quantity: "gradient", view: "matrix" };

async function expectPlace(tab: Tab): Promise<void> {
  await eventually(
    () => tab.step(),
    (step) => step === 350,
  );
  expect(await tab.row("encoder/conv2d").getAttribute("aria-selected")).toBe("true");
  expect(await tab.frame.getByRole("tab", { name: "Matrix" }).getAttribute("aria-selected")).toBe("true");
  await eventually(
    () => tab.frame.locator(".strip").innerText(),
    (text) => text.includes("step 350") && text.includes("gradient"),
  );
}

it("opens what a link names, and so does a reload", async () => {
  const tab = await Tab.open({ link: PLACE });
  await expectPlace(tab);
  await tab.page.reload();
  await tab.frame.locator("main").waitFor();
  await expectPlace(tab);
  await tab.close();
});

it("writes where it is into the address, and going back goes back", async () => {
  const tab = await Tab.open({ link: { run: "digits/train", node: "encoder/conv2d" } });
  const hash = (): Promise<string> => tab.page.evaluate(() => decodeURIComponent(location.hash));
  await tab.row("head/dense").click();
  await eventually(hash, (text) => text.includes("node=head/dense"));
  await tab.row("image").click();
  await eventually(hash, (text) => text.includes("node=image"));
  await tab.page.goBack();
  await eventually(
    () => tab.row("head/dense").getAttribute("aria-selected"),
    (selected) => selected === "true",
  );
  await tab.close();
});

it("comes back as it was from another tab of TensorBoard, and asks nothing meanwhile", async () => {
  const tab = await Tab.open({ link: PLACE });
  await expectPlace(tab);
  await tab.page.getByRole("tab", { name: "Time Series" }).click();
  await tab.page.waitForTimeout(500);
  const before = tab.requests.length;
  await tab.page.waitForTimeout(8000);
  expect(tab.requests.slice(before)).toEqual([]);
  await tab.page.getByRole("tab", { name: "Activations" }).click();
  await expectPlace(tab);
  await eventually(
    () => Promise.resolve(tab.requests.length),
    (count) => count > before,
  );
  await tab.close();
});

it("goes to the recorded step nearest to that of the link, and says so", async () => {
  const tab = await Tab.open({ link: { ...PLACE, step: "352" } });
  await expectPlace(tab);
  const words = tab.frame.getByText("Step 352 of the address isn't recorded. You see step 350, the nearest one.");
  await words.waitFor();
  expect(tab.requests.filter((url) => url.includes("step=352"))).toEqual([]);
  await tab.ruler.focus();
  await tab.page.keyboard.press("ArrowRight");
  await words.waitFor({ state: "detached" });
  await tab.close();
});
