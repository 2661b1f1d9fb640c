/** The shape of a severity, the same wherever it is drawn: octagon, triangle, circle. */

import type { Severity } from "../types";
import type { CssPixels } from "../units";

const SHAPES: Readonly<Record<Severity, readonly [corners: number, radius: number, turn: number, lower: number]>> = {
  error: [8, 7.2, Math.PI / 8, 0],
  warning: [3, 8.4, -Math.PI / 2, 1.5],
  note: [24, 6.5, 0, 0],
};

/** Corners of the sign around a place, about 15 px wide at scale 1: x0, y0, x1, y1 … */
export function severityCorners(severity: Severity, x: CssPixels, y: CssPixels, scale = 1): CssPixels[] {
  const [corners, radius, turn, lower] = SHAPES[severity];
  return Array.from({ length: corners }, (_, corner) => {
    const angle = turn + (2 * Math.PI * corner) / corners;
    return [x + scale * radius * Math.cos(angle), y + scale * (lower + radius * Math.sin(angle))];
  }).flat();
}
