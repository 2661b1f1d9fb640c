/*
 * The pen that writes an SVG file. It needs no document: the same calls give the same text everywhere.
 *
 * The one invariant: every text and every colour is escaped, for names of nodes are hostile text and end in a file that a browser will open.
 */

import type { CssPixels } from "../units";
import { pieces } from "./canvas_pen";
import type { Box, Fill, Hatch, Pen, Pixels, Stroke, TextStyle } from "./pen";

const ESCAPES: Readonly<Record<string, string>> = {
  "&": "&amp;",
  "<": "&lt;",
  ">": "&gt;",
  '"': "&quot;",
  "'": "&#39;",
};

export function escapeXml(text: string): string {
  // Control characters are not allowed in XML at all, escaped or not.
  return text.replace(/[^\P{Cc}\t\n\r]|[\ufffe\uffff]/gu, "\ufffd").replace(/[&<>"']/g, (mark) => ESCAPES[mark]);
}

const round = (value: number): string => String(Math.round(value * 100) / 100);

/** Width of an average character over the font size, for text that nobody has measured. */
const CHARACTER_WIDTH = 0.55;

export class SvgPen implements Pen {
  private readonly parts: string[] = [];
  private clips = 0;

  constructor(
    private readonly width: CssPixels,
    private readonly height: CssPixels,
    private readonly fontFamily: string,
  ) {}

  toString(): string {
    const size = `width="${round(this.width)}" height="${round(this.height)}" viewBox="0 0 ${round(this.width)} ${round(this.height)}"`;
    const font = `font-family="${escapeXml(this.fontFamily)}" font-size="11"`;
    return `<svg xmlns="http://www.w3.org/2000/svg" ${size} ${font}>\n${this.parts.join("\n")}\n</svg>\n`;
  }

  rect(box: Box, fill: Fill): void {
    this.parts.push(`<rect ${place(box)} ${filled(fill)}/>`);
  }

  outline(box: Box, stroke: Stroke): void {
    this.parts.push(`<rect ${place(box)} fill="none" ${stroked(stroke)}/>`);
  }

  line(x0: CssPixels, y0: CssPixels, x1: CssPixels, y1: CssPixels, stroke: Stroke): void {
    this.parts.push(`<path d="M${round(x0)} ${round(y0)}L${round(x1)} ${round(y1)}" ${stroked(stroke)}/>`);
  }

  polyline(xs: Float32Array, ys: Float32Array, count: number, stroke: Stroke): void {
    const commands: string[] = [];
    for (const [start, stop] of pieces(ys, ys, count)) {
      for (let index = start; index < stop; index += 1) {
        commands.push(`${index === start ? "M" : "L"}${round(xs[index])} ${round(ys[index])}`);
      }
      if (stop - start === 1) commands.push(`h${round(stroke.width)}`);
    }
    if (commands.length > 0)
      this.parts.push(`<path d="${commands.join("")}" fill="none" stroke-linejoin="round" ${stroked(stroke)}/>`);
  }

  band(xs: Float32Array, lower: Float32Array, upper: Float32Array, count: number, fill: Fill): void {
    for (const [start, stop] of pieces(lower, upper, count)) {
      const points: string[] = [];
      for (let index = start; index < stop; index += 1) points.push(`${round(xs[index])} ${round(upper[index])}`);
      for (let index = stop - 1; index >= start; index -= 1) points.push(`${round(xs[index])} ${round(lower[index])}`);
      this.parts.push(`<polygon points="${points.join(" ")}" ${filled(fill)}/>`);
    }
  }

  polygon(points: readonly CssPixels[], fill: Fill, stroke?: Stroke): void {
    this.parts.push(
      `<polygon points="${points.map(round).join(" ")}" ${filled(fill)} ${stroke === undefined ? "" : stroked(stroke)}/>`,
    );
  }

  circle(x: CssPixels, y: CssPixels, radius: CssPixels, fill?: Fill, stroke?: Stroke): void {
    const paint = `${fill === undefined ? 'fill="none"' : filled(fill)} ${stroke === undefined ? "" : stroked(stroke)}`;
    this.parts.push(`<circle cx="${round(x)}" cy="${round(y)}" r="${round(radius)}" ${paint}/>`);
  }

  text(text: string, x: CssPixels, y: CssPixels, style: TextStyle): void {
    const anchor = style.align === "right" ? "end" : style.align === "center" ? "middle" : "start";
    const weight = style.bold === true ? ' font-weight="600"' : "";
    const size = style.size === undefined ? "" : ` font-size="${style.size}"`;
    const attributes = `x="${round(x)}" y="${round(y)}" dy="0.35em" text-anchor="${anchor}"${weight}${size}`;
    // The halo does for SVG what the background does on a canvas; here nobody knows the width of the text.
    const halo =
      style.background === undefined
        ? ""
        : ` stroke="${escapeXml(style.background)}" stroke-width="3" stroke-opacity="0.82" paint-order="stroke"`;
    this.parts.push(`<text ${attributes} fill="${escapeXml(style.color)}"${halo}>${escapeXml(text)}</text>`);
  }

  hatch(box: Box, hatch: Hatch): void {
    this.clip(box, () => {
      if (hatch.background !== undefined) this.rect(box, { color: hatch.background });
      const commands: string[] = [];
      for (let offset = -box.height; offset < box.width; offset += hatch.gap) {
        commands.push(
          `M${round(box.x + offset)} ${round(box.y + box.height)}l${round(box.height)} ${round(-box.height)}`,
        );
      }
      this.parts.push(`<path d="${commands.join("")}" ${stroked(hatch)}/>`);
    });
  }

  /** Runs of equal colour become one rectangle: no bitmap, so the file stays sharp and needs no encoder. */
  image(pixels: Pixels, box: Box): void {
    const cellWidth = box.width / pixels.width;
    const cellHeight = box.height / pixels.height;
    const cells: string[] = [];
    for (let row = 0; row < pixels.height; row += 1) {
      for (let column = 0; column < pixels.width;) {
        const color = pixels.data[row * pixels.width + column];
        let end = column + 1;
        while (end < pixels.width && pixels.data[row * pixels.width + end] === color) end += 1;
        const x = round(box.x + column * cellWidth);
        const y = round(box.y + row * cellHeight);
        if (color >>> 24 > 0) {
          cells.push(
            `<path d="M${x} ${y}h${round((end - column) * cellWidth)}v${round(cellHeight)}H${x}z" fill="${hex(color)}"/>`,
          );
        }
        column = end;
      }
    }
    this.parts.push(`<g shape-rendering="crispEdges">${cells.join("")}</g>`);
  }

  textWidth(text: string, style: Pick<TextStyle, "bold" | "size"> = {}): CssPixels {
    return text.length * CHARACTER_WIDTH * (style.size ?? 11);
  }

  clip(box: Box, draw: () => void): void {
    const id = `clip${(this.clips += 1)}`;
    this.parts.push(`<clipPath id="${id}"><rect ${place(box)}/></clipPath><g clip-path="url(#${id})">`);
    draw();
    this.parts.push("</g>");
  }
}

function place(box: Box): string {
  return `x="${round(box.x)}" y="${round(box.y)}" width="${round(Math.max(0, box.width))}" height="${round(Math.max(0, box.height))}"`;
}

function filled(fill: Fill): string {
  return `fill="${escapeXml(fill.color)}"${fill.opacity === undefined ? "" : ` fill-opacity="${fill.opacity}"`}`;
}

function stroked(stroke: Stroke | Hatch): string {
  const dash = "dash" in stroke && stroke.dash !== undefined ? ` stroke-dasharray="${stroke.dash.join(" ")}"` : "";
  const opacity = "opacity" in stroke && stroke.opacity !== undefined ? ` stroke-opacity="${stroke.opacity}"` : "";
  return `stroke="${escapeXml(stroke.color)}" stroke-width="${round(stroke.width)}"${dash}${opacity}`;
}

function hex(pixel: number): string {
  const channel = (shift: number): string => ((pixel >>> shift) & 255).toString(16).padStart(2, "0");
  return `#${channel(0)}${channel(8)}${channel(16)}`;
}
