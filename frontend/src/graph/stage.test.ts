// @vitest-environment jsdom
import { beforeEach, describe, expect, it, vi } from "vitest";
import { seededRandom, blockNetwork, measureFixed, sceneOf } from "./testing";
import { GraphStage, type StepLook } from "./stage";
import { toPage } from "./camera";
import { itemOfNode } from "./scene";

/** A canvas context that counts calls and keeps the smallest font drawn, as it appears on the screen. */
class CountingContext {
  readonly calls = new Map<string, number>();
  readonly texts: string[] = [];
  smallest = Infinity;
  font = "12px sans";
  private scaled = 1;

  static make(): CountingContext & CanvasRenderingContext2D {
    const target = new CountingContext();
    return new Proxy(target, {
      get: (context, name: string) => {
        if (name in context) return Reflect.get(context, name) as unknown;
        return (...values: unknown[]) => context.call(name, values);
      },
      set: (context, name, value) => Reflect.set(context, name, value),
    }) as CountingContext & CanvasRenderingContext2D;
  }

  private call(name: string, values: unknown[]): unknown {
    this.calls.set(name, (this.calls.get(name) ?? 0) + 1);
    if (name === "setTransform") this.scaled = 1;
    if (name === "scale") this.scaled = values[0] as number;
    if (name === "fillText") {
      this.texts.push(values[0] as string);
      const size = Number(/([\d.]+)px/.exec(this.font)?.[1]);
      this.smallest = Math.min(this.smallest, size * this.scaled);
    }
    return name === "measureText" ? { width: 20 } : undefined;
  }
}

const contexts = new Map<HTMLCanvasElement, CountingContext>();

beforeEach(() => {
  contexts.clear();
  vi.spyOn(HTMLCanvasElement.prototype, "getContext").mockImplementation(function (this: HTMLCanvasElement) {
    const context = contexts.get(this) ?? CountingContext.make();
    contexts.set(this, context);
    return context as unknown as RenderingContext;
  } as never);
  document.documentElement.style.setProperty("--seq", "#000000,#ffffff");
});

const LOOK: StepLook = {
  cellOf: (node) => ({ kind: "color", text: String(node), place: 10 }),
  map: "seq",
  byFindings: false,
  marks: new Map(),
  selected: -1,
};

const frame = (): Promise<void> => new Promise((done) => requestAnimationFrame(() => setTimeout(done)));

function makeStage() {
  const [lower, upper, minimap] = [0, 1, 2].map(() => document.createElement("canvas"));
  const stage = new GraphStage({ lower, upper, minimap }, measureFixed);
  stage.resize({ width: 800, height: 600 });
  return { stage, lower, upper, minimap };
}

describe("stage", () => {
  it("repaints only the upper canvas when the step changes, at most once per frame", async () => {
    const { stage } = makeStage();
    stage.setLook(LOOK);
    stage.setScene(sceneOf(blockNetwork(100), "all"));
    await frame();
    const before = { ...stage.paints };
    for (let step = 0; step < 50; step += 1)
      stage.setLook({ ...LOOK, cellOf: (node) => ({ kind: "color", text: `${step}/${node}`, place: step }) });
    await frame();
    expect(stage.paints).toEqual({ lower: before.lower, upper: before.upper + 1 });
  });

  it("draws what is seen, not the whole model", async () => {
    const { stage, lower, upper } = makeStage();
    const scene = sceneOf(blockNetwork(2000), "all");
    stage.setLook(LOOK);
    stage.setScene(scene);
    await frame();
    expect(scene.boxes.length).toBeGreaterThan(2000);
    expect(contexts.get(lower)?.calls.get("roundRect")).toBeLessThan(120);
    expect(contexts.get(upper)?.texts.length).toBeLessThan(120);
    expect(contexts.get(lower)?.texts).toContain("images");
  });

  it("works out cells for what is seen only", async () => {
    const { stage } = makeStage();
    const asked = new Set<number>();
    stage.setScene(sceneOf(blockNetwork(2000), "all"));
    stage.setLook({ ...LOOK, cellOf: (node) => (asked.add(node), { kind: "color", text: "1", place: 1 }) });
    await frame();
    // The minimap colours every box, by design: a look at all of them costs one lookup each and no text.
    stage.resize({ width: 400, height: 200 });
    await frame();
    asked.clear();
    stage.setLook({ ...LOOK, cellOf: (node) => (asked.add(node), { kind: "color", text: "1", place: 1 }) });
    await frame();
    expect(asked.size).toBeLessThan(60);
  });

  it("draws no text below 11 px at any zoom", async () => {
    const { stage, lower, upper } = makeStage();
    stage.setLook(LOOK);
    stage.setScene(sceneOf(blockNetwork(200), "all"));
    for (let notch = 0; notch < 14; notch += 1) {
      await frame();
      stage.zoom(-1);
    }
    expect(contexts.get(lower)?.smallest).toBeGreaterThanOrEqual(10.99);
    expect(contexts.get(upper)?.smallest).toBeGreaterThanOrEqual(10.99);
  });

  it("keeps what was opened where it was on the screen", () => {
    const text = blockNetwork(300);
    const { stage } = makeStage();
    stage.setLook(LOOK);
    const closed = sceneOf(text, []);
    stage.setScene(closed);
    stage.pan(-30, -80);
    const item = itemOfNode(
      closed,
      closed.nodes.findIndex((node) => node.name.startsWith("stage2/")),
    );
    const place = (scene: typeof closed, of: number) => ({
      x: scene.boxes[of].x * stage.camera.zoom + stage.camera.x,
      y: scene.boxes[of].y * stage.camera.zoom + stage.camera.y,
    });
    const before = place(closed, item);
    stage.keepPlace(item);
    const opened = sceneOf(text, ["stage2"]);
    stage.setScene(opened);
    const after = place(opened, opened.visible.itemOf[opened.tree.byPath.get("stage2") as number]);
    expect(after.x).toBeCloseTo(before.x);
    expect(after.y).toBeCloseTo(before.y);
  });

  it("fits again when the view is resized, until the user moves the camera", () => {
    const { stage } = makeStage();
    stage.setLook(LOOK);
    stage.setScene(sceneOf("a; b <- a", []));
    stage.resize({ width: 400, height: 600 });
    const fitted = stage.camera.x;
    stage.pan(10, 0);
    stage.resize({ width: 800, height: 600 });
    expect(stage.camera.x).toBe(fitted + 10);
    stage.fit();
    expect(stage.camera.x).toBeGreaterThan(fitted + 10);
  });

  it("fits with the selection in the middle, and fades out where the page goes on", async () => {
    const { stage, lower } = makeStage();
    const host = document.createElement("div");
    host.append(lower);
    const scene = sceneOf(
      `a0; ${Array.from({ length: 30 }, (_, at) => `a${at + 1} <- a${at}`).join("; ")}`,
      [],
      "right",
    );
    const selected = itemOfNode(scene, 15);
    stage.setScene(scene);
    stage.setLook({ ...LOOK, selected });
    stage.fit();
    const { x, width } = scene.boxes[selected];
    expect(Math.abs((x + width / 2) * stage.camera.zoom + stage.camera.x - 400)).toBeLessThan(1);
    await frame();
    expect(["left", "right", "top", "bottom"].map((side) => host.style.getPropertyValue(`--fade-${side}`))).toEqual([
      "40px",
      "40px",
      "0px",
      "0px",
    ]);
  });

  it("finds under the pointer what is drawn there, wherever the camera is", () => {
    const { stage } = makeStage();
    stage.setLook(LOOK);
    const scene = sceneOf(blockNetwork(60), "all");
    stage.setScene(scene);
    const random = seededRandom(3);
    for (let turn = 0; turn < 30; turn += 1) {
      stage.zoom(random() * 4 - 2, { x: random() * 800, y: random() * 600 });
      stage.pan(random() * 100 - 50, random() * 100 - 50);
      const item = 1 + Math.floor(random() * (scene.boxes.length - 1));
      if (scene.visible.items[item].open) continue;
      const box = scene.boxes[item];
      const { x, y, zoom } = stage.camera;
      expect(stage.hit({ x: (box.x + box.width / 2) * zoom + x, y: (box.y + box.height / 2) * zoom + y })?.item).toBe(
        item,
      );
    }
  });

  it("goes where an address says in every layout and size of the view, until the user goes on", async () => {
    const { stage } = makeStage();
    const text = blockNetwork(300);
    stage.setLook(LOOK);
    stage.goTo("0.5,0.25,1.5");
    stage.setScene(sceneOf(text, []));
    const middle = () => {
      const page = stage.scene.peek()!.boxes[0];
      const { x, y } = toPage(stage.camera, stage.view.width / 2, stage.view.height / 2);
      return [x / page.width, y / page.height, stage.camera.zoom];
    };
    const here = [0.5, 0.25, 1.5].map((part) => expect.closeTo(part, 3) as number);
    expect(middle()).toEqual(here);
    stage.setScene(sceneOf(text, ["stage2"]));
    stage.resize({ width: 500, height: 700 });
    expect(middle()).toEqual(here);
    await frame();
    expect(stage.place.value).toBe("0.5,0.25,1.5");
    stage.pan(-40, 0);
    await frame();
    stage.resize({ width: 300, height: 700 });
    await frame();
    expect(middle()).not.toEqual(here);
    expect(stage.place.value).toMatch(/^0\.\d+,0\.\d+,1\.5$/);
    stage.fit();
    await frame();
    expect(stage.place.value).toBeNull();
  });

  it("fits where an address names no place", async () => {
    const { stage } = makeStage();
    stage.setLook(LOOK);
    stage.setScene(sceneOf("a; b <- a", []));
    const fitted = stage.camera;
    stage.goTo("anywhere");
    await frame();
    expect(stage.camera).toEqual(fitted);
    expect(stage.place.value).toBeNull();
  });

  it("paints nothing without an area", async () => {
    const [lower, upper, minimap] = [0, 1, 2].map(() => document.createElement("canvas"));
    const stage = new GraphStage({ lower, upper, minimap }, measureFixed);
    stage.setLook(LOOK);
    stage.setScene(sceneOf("a; b <- a", []));
    await frame();
    expect(stage.paints).toEqual({ lower: 0, upper: 0 });
  });
});
