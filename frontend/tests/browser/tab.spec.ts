/* The tab is there behind every loader and prefix, and nothing goes wrong while it opens. */
import { afterAll, describe, expect, it } from "vitest";
import { handover, quit, Tab } from "./harness";

afterAll(quit);

const DIGITS = handover.runs["digits/train"];

describe.each(["fast", "python", "prefixed", "specified"])("the server %s", (server) => {
  it("shows the nodes of the run", async () => {
    const tab = await Tab.open({ server, link: { run: server === "specified" ? "one/train" : "digits/train" } });
    expect(await tab.page.getByRole("tab", { name: "Activations" }).count()).toBe(1);
    await tab.row("head/dense").waitFor();
    expect(await tab.frame.locator(".lh-name").textContent()).toContain(`${DIGITS.nodes.length} nodes`);
    for (const state of ["materialized", "available", "unreachable"]) {
      const count = DIGITS.nodes.filter((node) => node.state === state).length;
      expect(await tab.frame.locator(".lf").textContent()).toContain(`${count} ${state}`);
    }
    await tab.shoot(`tab-${server}`);
    await tab.close();
  });
});

it("says how to record where nothing is recorded", async () => {
  const tab = await Tab.open({ server: "empty", expect: ".empty h1" });
  const text = await tab.frame.locator(".empty").innerText();
  expect(text).toContain("No activations recorded yet");
  expect(text).toContain("ActivationsCallback(");
  expect(text).toContain("tba.watch(");
  expect(text).toContain("tensorboard --logdir");
  await tab.shoot("tab-empty");
  await tab.close();
});

it("says which runs there are when a link names one that is not there", async () => {
  const tab = await Tab.open({ link: { run: "gone/train" }, expect: ".empty h1" });
  const text = await tab.frame.locator(".empty").innerText();
  expect(text).toContain("There is no run gone/train here");
  expect(await tab.frame.locator(".top").innerText()).not.toContain("findings");
  await tab.frame.getByRole("button", { name: "second/train" }).click();
  await tab.row("head/dense").waitFor();
  await tab.close();
});
