import { describe, expect, it } from "vitest";
import { sceneOf } from "../testing";
import type { Scene } from "../scene";
import { HEADER } from "./nested";

/** The scene as text: one character per 12 × 19 pixels. `[` `]` bound a box, its label stands inside; `(` `)` bound an open scope. */
function drawing(scene: Scene): string {
  const [width, height] = [Math.ceil(scene.boxes[0].width / 12) + 1, Math.ceil(scene.boxes[0].height / 19) + 1];
  const canvas = Array.from({ length: height }, () => Array.from({ length: width }, () => " "));
  scene.boxes.forEach((box, item) => {
    if (item === 0) return;
    const { open, entry } = scene.visible.items[item];
    const row = Math.round((box.y + (open ? HEADER / 2 : box.height / 2)) / 19);
    const [left, right] = [Math.round(box.x / 12), Math.round((box.x + box.width) / 12)];
    const text = [...scene.tree.entries[entry].label];
    canvas[row][left] = open ? "(" : "[";
    canvas[row][right] = open ? ")" : "]";
    text.slice(0, right - left - 1).forEach((character, index) => (canvas[row][left + 1 + index] = character));
  });
  return canvas.map((line) => line.join("").trimEnd()).join("\n");
}

const RESIDUAL = "input; block/a <- input; block/b <- block/a; block/add <- block/b input; head <- block/add";

describe("nested layout", () => {
  it("lays a chain out downwards", () => {
    expect(drawing(sceneOf("a; b <- a; c <- b", []))).toMatchInlineSnapshot(`
      "
      [a     ]


      [b     ]


      [c     ]

      "
    `);
  });

  it("puts what has no edge beside the way out of a scope, never behind it", () => {
    const { boxes, visible, tree } = sceneOf("in; s/a <- in; s/b <- s/a; s/lone; s/other; out <- s/b", "all");
    const boxOf = (label: string) => boxes[visible.items.findIndex(({ entry }) => tree.entries[entry].label === label)];
    const [scope, last] = [boxOf("s"), boxOf("b")];
    for (const label of ["lone", "other"]) {
      expect(boxOf(label).x + boxOf(label).width).toBeLessThanOrEqual(last.x + last.width);
      expect(boxOf(label).y).toBeGreaterThan(last.y);
      expect(boxOf(label).y + boxOf(label).height).toBeLessThan(scope.y + scope.height);
    }
  });

  it("lays the inside of a scope out sideways", () => {
    expect(drawing(sceneOf("in; s/a <- in; s/b <- s/a; out <- s/b", "all"))).toMatchInlineSnapshot(`
      "
           [in    ]


      (s               )
       [a     ][b     ]



           [out   ]

      "
    `);
  });

  it("goes down in a low view only where that fits", () => {
    const model = "in; long/a <- in; long/b <- long/a; long/c <- long/b; long/d <- long/c; s/x <- long/d; s/y <- s/x";
    const boxOf = (scene: Scene, path: string): Scene["boxes"][number] =>
      scene.boxes[scene.visible.itemOf[scene.tree.byPath.get(path) as number]];
    const low = sceneOf(model, "all", "right", false, 190);
    expect(low.boxes[0].height).toBeLessThanOrEqual(190);
    expect(boxOf(low, "long/d").y).toBe(boxOf(low, "long/a").y);
    expect(boxOf(low, "long/d").x).toBeGreaterThan(boxOf(low, "long/a").x);
    expect(boxOf(low, "s/y").y).toBeGreaterThan(boxOf(low, "s/x").y);
    const directions = new Map(low.routes.filter(({ port }) => !port).map((route) => [route.to, route.direction]));
    expect(directions.get(low.visible.itemOf[low.tree.byPath.get("s/y") as number])).toBe("down");
    expect(directions.get(low.visible.itemOf[low.tree.byPath.get("long/d") as number])).toBe("right");
  });

  it("stands branches side by side", () => {
    expect(drawing(sceneOf("in; q <- in; k <- in; v <- in; out <- q k v", []))).toMatchInlineSnapshot(`
      "
              [in    ]


      [q     ][k    ] [v    ]



             [out    ]
      "
    `);
  });

  it("turns round in a low view", () => {
    expect(drawing(sceneOf("a; b <- a; s/c <- b; s/d <- s/c", "all", "right"))).toMatchInlineSnapshot(`
      "
                       (s      )

                        [c    ]
      [a     ][b     ]

                        [d    ]

      "
    `);
  });

  it("draws a residual edge that comes from outside its scope", () => {
    const scene = sceneOf(RESIDUAL, "all");
    const inside = scene.routes
      .filter((route) => route.port)
      .map((route) =>
        [route.from, route.to].map((item) => scene.tree.entries[scene.visible.items[item].entry].label).join(" > "),
      );
    expect(inside).toEqual(["block > a", "block > add", "add > block"]);
    expect(drawing(scene)).toMatchInlineSnapshot(`
      "
               [input   ]


      (block                     )
       [a     ] [b    ] [add    ]




               [head    ]
      "
    `);
  });

  it("keeps children inside their scope and apart from each other", () => {
    const scene = sceneOf(
      `${RESIDUAL}; block/deep/x <- block/a; block/deep/y <- block/deep/x; other/z?; other/w!`,
      "all",
    );
    scene.visible.items.forEach((item, index) => {
      if (item.parent < 0) return;
      const [box, around] = [scene.boxes[index], scene.boxes[item.parent]];
      const header = item.parent === 0 ? 0 : HEADER - 2;
      // Half a pixel: centres are rounded so that lines stay crisp.
      expect(box.x).toBeGreaterThanOrEqual(around.x - 0.5);
      expect(box.y).toBeGreaterThanOrEqual(around.y + header - 0.5);
      expect(box.x + box.width).toBeLessThanOrEqual(around.x + around.width + 0.5);
      expect(box.y + box.height).toBeLessThanOrEqual(around.y + around.height + 0.5);
      scene.visible.items.forEach((other, otherIndex) => {
        if (otherIndex <= index || other.parent !== item.parent) return;
        const theirs = scene.boxes[otherIndex];
        const apart =
          theirs.x >= box.x + box.width ||
          box.x >= theirs.x + theirs.width ||
          theirs.y >= box.y + box.height ||
          box.y >= theirs.y + theirs.height;
        expect(apart).toBe(true);
      });
    });
  });

  it("makes an open scope at least as wide as its title", () => {
    const scene = sceneOf("a_scope_with_a_long_name_xx/x", "all");
    const scope = scene.visible.items.findIndex((item, index) => index > 0 && item.open);
    expect(scene.boxes[scope].width).toBeGreaterThanOrEqual(26 * 7 + 18);
  });

  it("ends what leaves a scope at its border", () => {
    const scene = sceneOf("in; s/a <- in; out <- s/a", "all");
    const scope = scene.visible.items.findIndex((item, index) => index > 0 && item.open);
    const box = scene.boxes[scope];
    const [entry, exit] = scene.routes.filter((route) => route.port);
    // The inside runs to the right: in at the left border, out at the right one.
    expect(entry.points[0]).toBe(box.x);
    expect(exit.points[exit.points.length - 2]).toBe(box.x + box.width);
  });
});
