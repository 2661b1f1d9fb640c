/** Where an arrow key leads: along an edge if one leads that way, else to the nearest box there. Open scopes are reached from inside, with Escape. */

import type { Box } from "../draw/pen";
import type { Scene } from "./scene";

export type Arrow = "ArrowLeft" | "ArrowRight" | "ArrowUp" | "ArrowDown";

const STEPS: Readonly<Record<Arrow, readonly [number, number]>> = {
  ArrowLeft: [-1, 0],
  ArrowRight: [1, 0],
  ArrowUp: [0, -1],
  ArrowDown: [0, 1],
};

export const isArrow = (key: string): key is Arrow => key in STEPS;

/** An edge is as good as a box at this share of its distance. */
const EDGE_BONUS = 0.25;

/** Distance to a box in a direction, with what lies aside counting double; Infinity when the box isn't there. */
function reach(from: Box, to: Box, [dx, dy]: readonly [number, number]): number {
  const x = to.x + to.width / 2 - from.x - from.width / 2;
  const y = to.y + to.height / 2 - from.y - from.height / 2;
  const ahead = x * dx + y * dy;
  const aside = Math.abs(x * dy) + Math.abs(y * dx);
  // Within a cone of about 75 degrees to each side.
  return ahead <= 0 || aside > 4 * ahead ? Infinity : ahead + 2 * aside;
}

/** The item that an arrow key leads to from `item`; `item` itself when there is none. */
export function nextItem(scene: Scene, item: number, arrow: Arrow): number {
  const linked = new Set([...scene.sources[item], ...scene.targets[item]]);
  let best = item;
  let least = Infinity;
  for (let candidate = 1; candidate < scene.boxes.length; candidate += 1) {
    if (candidate === item || scene.visible.items[candidate].open) continue;
    const distance =
      reach(scene.boxes[item], scene.boxes[candidate], STEPS[arrow]) * (linked.has(candidate) ? EDGE_BONUS : 1);
    if (distance < least) [best, least] = [candidate, distance];
  }
  return best;
}

/** The first box in execution order: where the keyboard enters. */
export function firstItem(scene: Scene): number {
  return scene.visible.items.findIndex((item, index) => index > 0 && !item.open);
}
