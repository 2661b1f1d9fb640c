import { describe, expect, it } from "vitest";
import { measureFixed, sceneOf } from "./testing";
import { shorten } from "./boxes";
import { firstItem, nextItem } from "./keyboard";
import { hitTest, itemOfNode, pathOf, routesBetween, type Scene } from "./scene";

const MODEL = "in; s/a <- in; s/b <- s/a; t/c <- in; out <- s/b t/c";

function itemAt(scene: Scene, path: string): number {
  return scene.visible.itemOf[scene.tree.byPath.get(path) as number];
}

describe("hit testing", () => {
  const scene = sceneOf(MODEL, ["s"]);
  const hitAt = (path: string, dx: number, dy: number) => {
    const box = scene.boxes[itemAt(scene, path)];
    return hitTest(scene, box.x + dx, box.y + dy);
  };

  it("finds the innermost box", () => {
    expect(hitAt("s/a", 5, 5)?.item).toBe(itemAt(scene, "s/a"));
    expect(hitAt("s", 5, 5)).toEqual({ item: itemAt(scene, "s"), onTitle: true });
    expect(hitAt("s", 2, 60)).toEqual({ item: itemAt(scene, "s"), onTitle: false });
    expect(hitAt("t", 5, 30)).toEqual({ item: itemAt(scene, "t"), onTitle: true });
  });

  it("finds nothing beside the boxes", () => {
    expect(hitTest(scene, -1, -1)).toBeNull();
  });

  it("agrees with asking every box", () => {
    const { width, height } = scene.boxes[0];
    for (let x = 0; x < width; x += 17) {
      for (let y = 0; y < height; y += 13) {
        const holding = scene.boxes.flatMap((box, item) =>
          item > 0 && x >= box.x && x < box.x + box.width && y >= box.y && y < box.y + box.height ? [item] : [],
        );
        const depth = (item: number): number => (item < 0 ? 0 : 1 + depth(scene.visible.items[item].parent));
        const innermost = holding.sort((a, b) => depth(b) - depth(a))[0] ?? null;
        expect(hitTest(scene, x, y)?.item ?? null).toBe(innermost);
      }
    }
  });
});

describe("scene", () => {
  it("shows a node in a closed scope as the scope", () => {
    const scene = sceneOf(MODEL, []);
    expect(pathOf(scene, itemOfNode(scene, 1))).toBe("s");
    expect(itemOfNode(scene, -1)).toBe(-1);
  });

  it("knows what is connected to what across scopes", () => {
    const scene = sceneOf(MODEL, "all");
    const out = itemAt(scene, "out");
    expect(scene.sources[out].map((item) => pathOf(scene, item))).toEqual(["s/b", "t/c"]);
  });

  it("leads from node to node through the borders of all scopes between them", () => {
    const scene = sceneOf("a/b/c; d/e <- a/b/c; a/x <- a/b/c", "all");
    const ways = (from: string, to: string): string[] =>
      routesBetween(scene, itemAt(scene, from), itemAt(scene, to)).map((route) =>
        [route.from, route.to].map((item) => pathOf(scene, item)).join(" > "),
      );
    expect(ways("a/b/c", "d/e")).toEqual(["a/b/c > a/b", "a/b > a", "a > d", "d > d/e"]);
    expect(ways("a/b/c", "a/x")).toEqual(["a/b/c > a/b", "a/b > a/x"]);
  });

  it("gives a node the room its texts need, whatever the step", () => {
    const scene = sceneOf("short; a_much_longer_name <- short", []);
    expect(scene.boxes[2].width).toBeGreaterThan(scene.boxes[1].width);
    expect(scene.boxes[2].width).toBeGreaterThanOrEqual(46 + 18 * 7);
  });

  it("bounds the width of a hostile name", () => {
    const scene = sceneOf(`${"x".repeat(5000)}; ${"😀".repeat(500)}`, []);
    expect(Math.max(...scene.boxes.slice(1).map((box) => box.width))).toBeLessThan(320);
    expect(scene.texts[2].title).toMatch(/^😀+…$/u);
  });
});

describe("shorten", () => {
  it("fits the room and loses as little as possible", () => {
    expect(shorten("abcdefgh", 56, 12, measureFixed)).toBe("abcdefgh");
    expect(shorten("abcdefgh", 55, 12, measureFixed)).toBe("abcdef…");
    expect(shorten("abcdefgh", 0, 12, measureFixed)).toBe("…");
  });
});

describe("arrow keys", () => {
  const scene = sceneOf(MODEL, "all");
  const walk = (from: string, ...keys: ("ArrowDown" | "ArrowUp" | "ArrowLeft" | "ArrowRight")[]): string =>
    pathOf(
      scene,
      keys.reduce((item, key) => nextItem(scene, item, key), itemAt(scene, from)),
    );

  it("follow edges", () => {
    expect(walk("in", "ArrowDown")).toMatch(/^[st]\//);
    expect(walk("s/a", "ArrowRight")).toBe("s/b");
    expect(walk("s/b", "ArrowLeft")).toBe("s/a");
    expect(walk("out", "ArrowUp", "ArrowUp")).toBe("in");
  });

  it("stay where nothing lies in that direction", () => {
    expect(walk("in", "ArrowUp")).toBe("in");
    expect(walk("out", "ArrowDown")).toBe("out");
  });

  it("begin at the first box, and reach every box", () => {
    expect(pathOf(scene, firstItem(scene))).toBe("in");
    const reached = new Set([firstItem(scene)]);
    for (const item of reached)
      for (const key of ["ArrowDown", "ArrowUp", "ArrowLeft", "ArrowRight"] as const)
        reached.add(nextItem(scene, item, key));
    expect(reached.size).toBe(scene.visible.items.filter((item) => !item.open).length);
  });
});
