/*
 * Opens the Activations tab of a real TensorBoard in a real Chromium and watches it. The one invariant: a tab that was opened here and is closed
 * here has printed no error to the console, thrown nothing and violated no content security policy, or the test fails.
 * Servers and expected numbers come from pytest (`tests/browser`), which computes them with `open_run`.
 */
import { spawn } from "node:child_process";
import type { ChildProcessWithoutNullStreams } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import type { AxeResults } from "axe-core";
import { chromium } from "playwright-core";
import type { Browser, BrowserContext, Frame, FrameLocator, Locator, Page } from "playwright-core";
import { expect } from "vitest";

/** What `tests/browser/conftest.py` hands over. */
export interface Handover {
  /** Name of a server -> its address, which ends with a slash. */
  readonly servers: Readonly<Record<string, string>>;
  /** What Python's `open_run` gives, by run. */
  readonly runs: Readonly<Record<string, ExpectedRun>>;
  /** The step from which `head/dense` of `digits/train` has NaN. */
  readonly firstNan: number;
  /** Samples of `digits/train` at one step: nested lists by node. */
  readonly samples: {
    readonly step: number;
    readonly values: Readonly<Record<string, readonly unknown[]>>;
    readonly strides: readonly number[];
    readonly strided: readonly unknown[];
  };
  readonly logs: string;
  /** The log directory of the server `live`, empty at first. */
  readonly live: string;
  readonly shots: string;
  readonly python: string;
  readonly root: string;
}

export interface ExpectedRun {
  readonly path: string;
  readonly steps: readonly number[];
  /** What each capture cost, in seconds. */
  readonly overhead: readonly (number | string)[];
  readonly dropped: readonly number[];
  readonly columns: readonly string[];
  readonly nodes: readonly ExpectedNode[];
  /** Quantity -> [step][node][column]; "nan" and "inf" are texts. */
  readonly numbers: Readonly<Record<string, readonly (readonly (readonly (number | string)[])[])[]>>;
  readonly findings: readonly {
    readonly title: string;
    readonly node: string;
    readonly sentence: string;
    readonly remedy: string;
    readonly consequence_of: string | null;
    readonly quantity: string;
    readonly severity: string;
    readonly first_step: number;
  }[];
}

export interface ExpectedNode {
  readonly name: string;
  readonly kind: string;
  readonly state: string;
  readonly title: string;
  readonly sentence: string;
  readonly remedy: string;
  readonly code: string;
  /** Lines of the source that made it; empty where the run holds none. */
  readonly source: string;
}

export interface TabOptions {
  /** Name or address of the server; by default the one that pytest names. */
  readonly server?: string;
  /** What stands in the deep link: `p.tb_activations.<key>`. */
  readonly link?: Readonly<Record<string, string>>;
  readonly dark?: boolean;
  readonly width?: number;
  readonly height?: number;
  /** Browser zoom: 2 is 200 %. */
  readonly zoom?: number;
  /** Does the system ask for less motion? As a rule it does, so that pictures stand still. */
  readonly motion?: "reduce" | "no-preference";
  /** What every document runs first. */
  readonly script?: () => void;
  /** What to wait for; the dashboard itself by default. */
  readonly expect?: string;
}

const FLAGS = [
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
];
const USUAL_PLACES = [
  "/usr/bin/chromium",
  "/usr/bin/chromium-browser",
  "/usr/bin/google-chrome",
  "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
];

export const handover = JSON.parse(readFileSync(variable("TBA_HANDOVER"), "utf8")) as Handover;

let browser: Browser | undefined;

/** The Chromium of this test file. */
export async function launch(): Promise<Browser> {
  const executablePath = process.env.CHROMIUM ?? USUAL_PLACES.find((place) => existsSync(place));
  if (executablePath === undefined) throw new Error("No Chromium found. Set CHROMIUM to the path of one.");
  browser ??= await chromium.launch({ executablePath, args: FLAGS });
  return browser;
}

export async function quit(): Promise<void> {
  await browser?.close();
  browser = undefined;
}

const PREFIX = "p.tb_activations.";

/** TensorBoard itself asks for fonts without its path prefix. */
const NOT_OURS = /\/font-roboto\//;

/** The server that a test opens when it names none. */
const SERVER = process.env.TBA_SERVER ?? "fast";

const IFRAME = 'iframe[src*="name=tb_activations"]';

/** The Activations tab, open. */
export class Tab {
  /** Everything that should not have happened on the page, in any frame. */
  readonly problems: string[] = [];
  /** Addresses of all requests to the plugin, in order. */
  readonly requests: string[] = [];

  private constructor(
    readonly context: BrowserContext,
    readonly page: Page,
    /** The plugin's own document. */
    readonly frame: FrameLocator,
  ) {
    page.on("console", (message) => {
      const text = `${message.text()} (${message.location().url})`;
      if (message.type() === "error" && !NOT_OURS.test(text)) this.problems.push(text);
    });
    page.on("pageerror", (error) => this.problems.push(String(error)));
    page.on("dialog", (dialog) => this.problems.push(`dialog: ${dialog.message()}`));
    page.on("request", (request) => {
      if (request.url().includes("/data/plugin/tb_activations/")) this.requests.push(request.url());
    });
  }

  /** Opens the tab and waits until the page has answered. */
  static async open(options: TabOptions = {}): Promise<Tab> {
    const { width = 1440, height = 900, zoom = 1, motion = "reduce" } = options;
    const context = await (
      await launch()
    ).newContext({
      viewport: { width: Math.round(width / zoom), height: Math.round(height / zoom) },
      deviceScaleFactor: zoom,
      reducedMotion: motion,
      acceptDownloads: true,
    });
    await context.grantPermissions(["clipboard-read", "clipboard-write"]);
    await context.addInitScript(() => {
      document.addEventListener("securitypolicyviolation", (event) => {
        console.error(`Content security policy: ${event.violatedDirective} ${event.blockedURI} in ${event.sourceFile}`);
      });
    });
    if (options.script !== undefined) await context.addInitScript(options.script);
    const page = await context.newPage();
    const tab = new Tab(context, page, page.frameLocator(IFRAME));
    await page.goto(address(options));
    await tab.frame.locator(options.expect ?? "main").waitFor();
    return tab;
  }

  /** The row of a node or scope in the list. */
  row(path: string): Locator {
    return this.frame.locator(`[role=row][data-path="${path.replace(/["\\]/g, "\\$&")}"]`);
  }

  /** The slider of steps. */
  get ruler(): Locator {
    return this.frame.getByRole("slider", { name: "Step" });
  }

  async step(): Promise<number> {
    return Number(await this.ruler.getAttribute("aria-valuenow"));
  }

  /** What the address names: our keys in it. */
  async place(): Promise<Readonly<Record<string, string>>> {
    const hash = await this.page.evaluate(() => location.hash);
    const ours = hash.split("&").filter((part) => part.startsWith(PREFIX));
    return Object.fromEntries(
      ours.map((part) => part.slice(PREFIX.length).split("=").map(decodeURIComponent) as [string, string]),
    );
  }

  /** Name → text of the statistics strip in the panel. */
  async strip(): Promise<Record<string, string>> {
    const pairs = await this.frame
      .locator(".strip > div:has(dt)")
      .evaluateAll((items) =>
        items.map((item) => [
          item.querySelector("dt")?.textContent ?? "",
          item.querySelector("dd")?.firstChild?.textContent ?? "",
        ]),
      );
    return Object.fromEntries(pairs) as Record<string, string>;
  }

  /** The plugin's frame, for scripts inside of it. */
  async inside(): Promise<Frame> {
    const handle = await this.page.locator(IFRAME).elementHandle();
    const frame = await handle?.contentFrame();
    if (!frame) throw new Error("The Activations tab has no document.");
    return frame;
  }

  /** What axe-core holds against the plugin's document, by the rules of WCAG 2.2 AA; those named in `but` left out. */
  async accessibilityProblems(but: readonly string[] = []): Promise<string[]> {
    const frame = await this.inside();
    await frame.evaluate(readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8"));
    const results = await frame.evaluate(async () => {
      const { axe } = window as unknown as { axe: { run: (options: object) => Promise<AxeResults> } };
      return axe.run({ runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"] });
    });
    return results.violations
      .filter(({ id }) => !but.includes(id))
      .map(({ id, help, nodes }) => `${id}: ${help}: ${nodes.map((node) => node.html).join(" | ")}`);
  }

  async shoot(name: string): Promise<void> {
    await this.page.screenshot({ path: `${handover.shots}/${name}.png` });
  }

  /** Closes the tab; `provoked` matches the problems that the test itself made. */
  async close(provoked = /^$/): Promise<void> {
    await this.context.close();
    expect(this.problems.filter((problem) => !provoked.test(problem))).toEqual([]);
  }
}

/** Reads `read` until it gives what `check` wants, and fails with what it gave last. */
export async function eventually<T>(
  read: () => Promise<T>,
  check: (value: T) => boolean,
  milliseconds = 20_000,
): Promise<T> {
  const deadline = Date.now() + milliseconds;
  for (;;) {
    const value = await read();
    if (check(value)) return value;
    if (Date.now() > deadline) throw new Error(`Still ${JSON.stringify(value)}`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

/** A training that makes a capture when told to. */
export class Training {
  private readonly process: ChildProcessWithoutNullStreams;

  constructor(runDirectory: string) {
    this.process = spawn(handover.python, ["-m", "tests.browser.grow", runDirectory], { cwd: handover.root });
  }

  /** Resolves once the capture is in a file. */
  async capture(step: number): Promise<void> {
    const done = new Promise((resolve, reject) => {
      this.process.stdout.once("data", resolve);
      this.process.once("exit", () => reject(new Error("The training ended.")));
    });
    this.process.stdin.write(`${step}\n`);
    await done;
  }

  async end(): Promise<void> {
    const ended = new Promise((resolve) => this.process.once("exit", resolve));
    this.process.stdin.end();
    await ended;
  }
}

/** A TensorBoard of the test's own, to be killed and started again. */
export class Server {
  private constructor(
    readonly url: string,
    private readonly process: ChildProcessWithoutNullStreams,
  ) {}

  static async start(logdir: string, port = "0"): Promise<Server> {
    const code = "import sys; sys.modules['tensorflow'] = None; from tensorboard.main import run_main; run_main()";
    const process = spawn(handover.python, ["-c", code, "--logdir", logdir, "--host=127.0.0.1", `--port=${port}`]);
    let log = "";
    const url = await new Promise<string>((resolve, reject) => {
      process.stderr.on("data", (text: Buffer) => {
        log += text.toString();
        const found = /at (http:\/\/\S+)/.exec(log);
        if (found !== null) resolve(found[1]);
      });
      process.once("exit", () => reject(new Error(log)));
    });
    return new Server(url, process);
  }

  get port(): string {
    return new URL(this.url).port;
  }

  async kill(): Promise<void> {
    const ended = new Promise((resolve) => this.process.once("exit", resolve));
    this.process.kill("SIGKILL");
    await ended;
  }
}

/** What `open_run` says of a node at a step. */
export function expectedNumber(run: string, node: string, quantity: string, step: number, column: string): number {
  const { steps, nodes, columns, numbers } = handover.runs[run];
  const row = numbers[quantity][steps.indexOf(step)][nodes.findIndex((each) => each.name === node)];
  return Number(String(row[columns.indexOf(column)]).replace("inf", "Infinity"));
}

export function address({ server = SERVER, link = {}, dark = false }: TabOptions): string {
  const keys = Object.entries(link).map(([key, value]) => `&${PREFIX}${key}=${encodeURIComponent(value)}`);
  const url = server.startsWith("http") ? server : handover.servers[server];
  return `${url}${dark ? "?darkMode=true" : ""}#tb_activations${keys.join("")}`;
}

function variable(name: string): string {
  const value = process.env[name];
  if (value === undefined) throw new Error(`${name} is not set. Run these tests with: python -m pytest -m browser`);
  return value;
}

/** A page whose rows are there, or what is expected in their place, and whose first pictures are drawn. */
export async function settled(options: TabOptions): Promise<Tab> {
  const tab = await Tab.open(options);
  if (options.expect === undefined) await tab.frame.locator("[role=row]").first().waitFor();
  await tab.page.waitForTimeout(700);
  return tab;
}
