/* Places worth going to, what a capture cost, and which captures were lost: beside the steps, by key and by click. */
import { afterAll, afterEach, beforeEach, expect, it } from "vitest";
import { formatCount, formatDuration } from "../../src/format";
import { eventually, handover, quit, Tab } from "./harness";

afterAll(quit);

const RUN = "digits/train";
const { steps, overhead, dropped, findings } = handover.runs[RUN];

let tab: Tab;
beforeEach(async () => {
  tab = await Tab.open({ link: { run: RUN, node: "image", step: "350" } });
  await tab.frame.getByRole("button", { name: "first finding" }).waitFor();
});
afterEach(async () => tab.close());

const at = async (): Promise<string> => {
  const { node = "", quantity = "value" } = await tab.place();
  return `${node} ${quantity} ${await tab.step()}`;
};
const placeOf = (finding: (typeof findings)[number]): string =>
  `${finding.node} ${finding.quantity} ${finding.first_step}`;
const becomes = (place: string): Promise<string> => eventually(at, (now) => now === place);

/** In the order of their steps, as n goes through them. */
const ordered = [...findings].sort((a, b) => a.first_step - b.first_step);

it("n and p go through all findings, and from the last to the first", async () => {
  await tab.ruler.focus();
  await tab.page.keyboard.press("Home");
  await eventually(
    () => tab.step(),
    (step) => step === steps[0],
  );
  for (const finding of ordered) {
    await tab.page.keyboard.press("n");
    await becomes(placeOf(finding));
  }
  await tab.page.keyboard.press("n");
  await becomes(placeOf(ordered[0]));
  for (const finding of [...ordered].reverse()) {
    await tab.page.keyboard.press("p");
    await becomes(placeOf(finding));
  }
});

it("the jumps lead to the first finding, and to the first NaN from any quantity", async () => {
  await tab.frame.getByRole("button", { name: "first finding" }).click();
  await becomes(placeOf(ordered[0]));
  await tab.page.keyboard.press("u");
  await tab.frame.getByRole("button", { name: "first NaN or Inf" }).click();
  await becomes(`head/dense value ${handover.firstNan}`);
});

it.each([0, 350, 693])("says what the capture at step %d cost", async (step) => {
  const page = await Tab.open({ link: { run: RUN, step: String(step) } });
  const seconds = Number(overhead[steps.indexOf(step)]);
  await eventually(
    () => page.frame.locator(".now").innerText(),
    (text) => text.includes(`overhead ${formatDuration(seconds)}`),
  );
  await page.close();
});

it("says how many captures were lost, which, and that training went on", async () => {
  const words = `${dropped.length} captures (steps ${dropped[0]} to ${dropped.at(-1)}) were dropped: the writer's queue was full. Training wasn't affected.`;
  const sentence = tab.frame.getByText(words);
  expect(await sentence.count()).toBe(0);
  await tab.frame.getByRole("button", { name: `${formatCount(dropped.length)} dropped` }).click();
  await sentence.waitFor();
  await tab.shoot("dropped");
  expect(await tab.accessibilityProblems()).toEqual([]);
  await tab.frame.getByRole("button", { name: "Close" }).click();
  await sentence.waitFor({ state: "detached" });
});
