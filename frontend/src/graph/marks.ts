/** The glyphs that a canvas needs: state (ring, dashed ring), triangle of a scope, severity (octagon, triangle, circle). Shape carries the meaning. */

import type { Context } from "../draw/context";
import { severityCorners } from "../draw/severity";
import type { Severity, State } from "../types";
import type { CssPixels } from "../units";
import type { Ink } from "./ink";

export function drawState(context: Context, state: State, x: CssPixels, y: CssPixels, ink: Ink): void {
  context.beginPath();
  context.arc(x, y, state === "materialized" ? 3.9 : 3.5, 0, 2 * Math.PI);
  context.strokeStyle = context.fillStyle = ink.state[state];
  context.lineWidth = 1.5;
  context.setLineDash(state === "unreachable" ? [1.57, 2.09] : []);
  if (state === "materialized") context.fill();
  else context.stroke();
  context.setLineDash([]);
}

/** `>` for a closed scope, `v` for an open one. */
export function drawChevron(context: Context, open: boolean, x: CssPixels, y: CssPixels, ink: Ink): void {
  context.beginPath();
  if (open) context.moveTo(x - 4, y - 2);
  else context.moveTo(x - 2, y - 4);
  context.lineTo(x + (open ? 0 : 2), y + (open ? 2 : 0));
  if (open) context.lineTo(x + 4, y - 2);
  else context.lineTo(x - 2, y + 4);
  context.strokeStyle = ink.ink2;
  context.lineWidth = 1.5;
  context.stroke();
}

/** A severity sign around (x, y), about 15 px wide, on a disc of the surface. One that doesn't hold at the chosen step is an outline only. */
export function drawSeverity(
  context: Context,
  severity: Severity,
  now: boolean,
  x: CssPixels,
  y: CssPixels,
  ink: Ink,
): void {
  context.beginPath();
  context.arc(x, y, 10, 0, 2 * Math.PI);
  context.fillStyle = ink.surface;
  context.fill();
  const corners = severityCorners(severity, x, y);
  context.beginPath();
  for (let at = 0; at < corners.length; at += 2) context.lineTo(corners[at], corners[at + 1]);
  context.closePath();
  context.strokeStyle = ink.severity[severity];
  context.fillStyle = severity === "warning" ? ink.warningFill : ink.severity[severity];
  context.lineWidth = 1.3;
  if (now) context.fill();
  context.stroke();
  context.beginPath();
  context.strokeStyle = now ? (severity === "warning" ? "#3a2700" : ink.surface) : ink.severity[severity];
  context.lineWidth = 1.8;
  context.moveTo(x, y - (severity === "warning" ? 2 : 3.6));
  context.lineTo(x, y + 0.8);
  context.moveTo(x, y + 3.2);
  context.lineTo(x, y + 3.6);
  context.stroke();
}
