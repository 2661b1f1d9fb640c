/* The whole way of a number: trained by `fit` in the demo's network, written by the callback, and read on the page as `open_run` reads it. */
import { afterAll, expect, it } from "vitest";
import { formatNumber } from "../../src/format";
import { eventually, expectedNumber, handover, quit, Tab } from "./harness";

afterAll(quit);

const RUN = "demo/train";

it("lists the demo's nodes, and shows the numbers of the node and step that are chosen", async () => {
  const tab = await Tab.open({ server: "trained", link: { run: RUN, step: "2" } });
  const closed = tab.frame.locator("[role=row][aria-expanded=false] .tw");
  await tab.row("encoder").waitFor();
  while ((await closed.count()) > 0) await closed.first().click();
  for (const { name } of handover.runs[RUN].nodes) await tab.row(name).waitFor();

  for (const node of ["encoder/gate/channel_mean", "encoder/block2_relu", "hidden/kernel"]) {
    await tab.row(node).click();
    for (const quantity of ["value", "gradient"]) {
      await tab.frame.getByRole("tablist", { name: "Quantity" }).getByRole("tab", { name: quantity }).click();
      const number = (column: string): string => formatNumber(expectedNumber(RUN, node, quantity, 2, column));
      const strip = await eventually(
        () => tab.strip(),
        (shown) => shown.mean === number("mean") && shown.max === number("max"),
      );
      expect(strip["L2 norm"]).toBe(number("l2_norm"));
    }
  }
  await tab.shoot("demo");
  await tab.close();
});
