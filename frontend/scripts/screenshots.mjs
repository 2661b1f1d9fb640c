/*
 * Draws the pictures of the documentation: every view of the demo's runs, light and dark, in a real TensorBoard. Called by `scripts/screenshots.py`:
 *
 *     node scripts/screenshots.mjs ADDRESS FOLDER
 */
import { chromium } from "playwright-core";

const [address, folder] = process.argv.slice(2);

const FLAGS = [
  "--headless",
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
];

/** Name of the picture -> what stands in the deep link. */
const VIEWS = {
  node: { run: "digits/train", node: "encoder/block2_relu", step: "188" },
  gradient: { run: "digits/train", node: "encoder/block1_conv", quantity: "gradient", step: "188" },
  graph: { run: "digits/train", node: "encoder/gate/channel_mean", view: "graph" },
  matrix: { run: "digits/train", node: "hidden/kernel", view: "matrix" },
  findings: { run: "digits-too-fast/train", node: "hidden", view: "findings" },
  compare: { run: "digits/train", compare_run: "digits-too-fast/train", node: "hidden", sort: "-difference" },
  attention: { run: "text/train", node: "block1_attention/softmax" },
  available: { run: "digits-too-fast/train", node: "logits/bias" },
  unreachable: { run: "digits/train", node: "encoder/block1_norm/moving_mean", quantity: "gradient" },
};

const link = (values) =>
  Object.entries(values).map(([key, value]) => `&p.tb_activations.${key}=${encodeURIComponent(value)}`);

const browser = await chromium.launch({ executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium", args: FLAGS });
for (const [name, values] of Object.entries(VIEWS)) {
  for (const theme of ["light", "dark"]) {
    const page = await browser.newPage({ viewport: { width: 1440, height: 900 } });
    const query = theme === "dark" ? "?darkMode=true" : "";
    await page.goto(`${address}${query}#tb_activations${link(values).join("")}`);
    const tab = page.frameLocator('iframe[src*="name=tb_activations"]');
    await tab.getByRole("treegrid").waitFor({ timeout: 60_000 });
    await page.waitForTimeout(4000); // pictures of values, histograms and the layout arrive one by one
    await page.screenshot({ path: `${folder}/${name}-${theme}.png` });
    await page.close();
  }
}
await browser.close();
