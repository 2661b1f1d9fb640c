/** The glyphs that a canvas needs: state (ring, dashed ring), triangle of a scope, severity (octagon, triangle, circle). Shape carries the meaning. */

import type { Severity, State } from "../types";
import type { CssPixels } from "../units";
import type { Ink } from "./ink";

type Context = CanvasRenderingContext2D;

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

function tracePolygon(
  context: Context,
  corners: number,
  radius: CssPixels,
  turn: number,
  x: CssPixels,
  y: CssPixels,
): void {
  context.beginPath();
  for (let corner = 0; corner < corners; corner += 1) {
    const angle = turn + (2 * Math.PI * corner) / corners;
    context.lineTo(x + radius * Math.cos(angle), y + radius * Math.sin(angle));
  }
  context.closePath();
}

function traceSeverity(context: Context, severity: Severity, x: CssPixels, y: CssPixels): void {
  if (severity === "error") tracePolygon(context, 8, 7.2, Math.PI / 8, x, y);
  else if (severity === "warning") tracePolygon(context, 3, 8.4, -Math.PI / 2, x, y + 1.5);
  else tracePolygon(context, 24, 6.5, 0, x, y);
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
  traceSeverity(context, severity, x, y);
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

/** Diagonal lines inside a rectangle: what lies outside every colour map. */
export function fillHatch(
  context: Context,
  x: CssPixels,
  y: CssPixels,
  width: CssPixels,
  height: CssPixels,
  ink: Ink,
): void {
  context.save();
  context.beginPath();
  context.rect(x, y, width, height);
  context.clip();
  context.fillStyle = ink.nanPaper;
  context.fillRect(x, y, width, height);
  context.beginPath();
  for (let start = -height; start < width; start += 5) {
    context.moveTo(x + start, y + height);
    context.lineTo(x + start + height, y);
  }
  context.strokeStyle = ink.nan;
  context.lineWidth = 2.5;
  context.stroke();
  context.restore();
}
