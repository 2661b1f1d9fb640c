/* A page that stays open while a training runs, starts, or TensorBoard goes away. */
import { afterAll, expect, it } from "vitest";
import { formatNumber } from "../../src/format";
import { eventually, handover, quit, Server, Tab, Training } from "./harness";

afterAll(quit);

it("fills itself when the first run appears, and follows it without a reload", async () => {
  const tab = await Tab.open({ server: "live", expect: ".empty h1" });
  await (await tab.inside()).evaluate(() => Object.assign(window, { untouched: true }));
  const training = new Training(`${handover.live}/first/train`);
  await training.capture(0);
  await tab.frame.locator("main").waitFor();
  await eventually(
    () => tab.step(),
    (step) => step === 0,
  );
  await tab.row("encoder/conv2d").click();
  for (const step of [5, 10, 15]) {
    await training.capture(step);
    await eventually(
      () => tab.step(),
      (at) => at === step,
    );
  }
  const captures = tab.frame.locator(".captures");
  await eventually(
    () => captures.innerText(),
    (text) => text.includes("4 steps"),
  );
  expect(await tab.row("encoder/conv2d").locator(".num").innerText()).toMatch(/^\d/);

  await tab.ruler.focus();
  await tab.page.keyboard.press("ArrowLeft");
  await eventually(
    () => tab.step(),
    (at) => at === 10,
  );
  await training.capture(20);
  const follow = tab.frame.getByRole("button", { name: /1 new capture: follow/ });
  await follow.waitFor();
  expect(await tab.step()).toBe(10);
  await follow.click();
  await eventually(
    () => tab.step(),
    (at) => at === 20,
  );
  await training.end();
  expect(await (await tab.inside()).evaluate(() => "untouched" in window)).toBe(true);
  await tab.shoot("live");
  await tab.close();
});

it("says so when TensorBoard is away, keeps what it has, and recovers", async () => {
  const server = await Server.start(handover.logs);
  const tab = await Tab.open({
    server: server.url,
    link: { run: "digits/train", node: "encoder/conv2d", step: "448" },
  });
  await tab.row("encoder/conv2d").waitFor();
  const mean = (): Promise<string> => tab.strip().then((strip) => strip.mean ?? "");
  const before = await eventually(mean, (text) => text !== "");

  await server.kill();
  const banner = tab.frame.getByRole("alert");
  await banner.waitFor();
  expect(await banner.innerText()).toContain("TensorBoard doesn't answer");
  await tab.shoot("away");
  expect(await mean()).toBe(before);

  const count = tab.requests.length;
  await tab.page.waitForTimeout(9000);
  // 2.5 s after the first failure, then 5 s, then 10 s.
  expect(tab.requests.slice(count), "tries come later and later").toSatisfy((tries: string[]) => tries.length < 4);

  const again = await Server.start(handover.logs, server.port);
  await banner.getByRole("button", { name: "Try now" }).click();
  await banner.waitFor({ state: "detached" });
  await tab.frame.getByRole("treegrid").focus();
  await tab.page.keyboard.press("ArrowDown");
  await eventually(mean, (text) => text !== before && text !== "");
  await again.kill();
  await tab.close(/net::ERR_/);
});

it("scrubs without showing one step's numbers under another step's name", async () => {
  const { steps, nodes, numbers, columns } = handover.runs["digits/train"];
  const tab = await Tab.open({ link: { run: "digits/train", node: "encoder/pool", step: "0" } });
  await tab.ruler.focus();
  for (let count = 0; count < 40; count += 1) {
    await tab.page.keyboard.press("ArrowRight");
    const shown = await tab.frame.locator("main").evaluate(() => ({
      step: Number(document.querySelector("[role=slider]")?.getAttribute("aria-valuenow")),
      label: document.querySelector(".strip")?.getAttribute("aria-label"),
      mean: document.querySelector(".strip dd")?.firstChild?.textContent,
    }));
    if (shown.label === undefined || shown.label === null) continue;
    const step = Number(/[\d,]+$/.exec(shown.label)?.[0].replace(",", ""));
    const row = numbers.value[steps.indexOf(step)][nodes.findIndex((node) => node.name === "encoder/pool")];
    expect(shown.mean).toBe(formatNumber(Number(row[columns.indexOf("mean")])));
  }
  await tab.close();
});
