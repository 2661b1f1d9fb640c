/* The page is light and dark with TensorBoard, while it is open too. */
import { afterAll, expect, it } from "vitest";
import { eventually, quit, Tab } from "./harness";

afterAll(quit);

/** Lightness of the page and of its text, 0 … 255. */
async function lightness(tab: Tab): Promise<{ page: number; text: number }> {
  return tab.frame.locator("main").evaluate((main) => {
    const mean = (color: string): number => {
      const parts = (/\d+[^)]*/.exec(color)?.[0] ?? "0,0,0").split(/[ ,]+/).map(Number);
      return (parts[0] + parts[1] + parts[2]) / 3;
    };
    const style = getComputedStyle(main.ownerDocument.body);
    return { page: mean(style.backgroundColor), text: mean(getComputedStyle(main).color) };
  });
}

it("opens dark in a dark TensorBoard", async () => {
  const tab = await Tab.open({ dark: true, link: { run: "digits/train", node: "encoder/conv2d", step: "448" } });
  const { page, text } = await lightness(tab);
  expect(page).toBeLessThan(70);
  expect(text).toBeGreaterThan(180);
  await tab.row("encoder/conv2d").waitFor();
  await tab.shoot("dark");
  await tab.close();
});

it("follows TensorBoard's switch", async () => {
  const tab = await Tab.open({ link: { run: "digits/train" } });
  expect((await lightness(tab)).page).toBeGreaterThan(200);
  await tab.page.evaluate(() => document.body.classList.add("dark-mode"));
  await eventually(
    () => lightness(tab),
    ({ page, text }) => page < 70 && text > 180,
  );
  await tab.page.evaluate(() => document.body.classList.remove("dark-mode"));
  await eventually(
    () => lightness(tab),
    ({ page, text }) => page > 200 && text < 100,
  );
  await tab.close();
});
