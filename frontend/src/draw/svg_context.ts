/*
 * A context that writes an SVG file instead of pixels.
 *
 * The one invariant: every text and every colour is escaped, for names of nodes are hostile text and end in a file that a browser will open.
 * What `restore` ends (moves, clips) is a group of the file; paths, rectangles and texts become elements as they are painted.
 */

import type { CssPixels } from "../units";
import type { Context } from "./context";

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

/** Attributes of an element. A number is rounded, undefined leaves one out. */
type Attributes = Readonly<Record<string, string | number | undefined>>;

const round = (value: number): string => String(Math.round(value * 100) / 100);

function written(attributes: Attributes): string {
  return Object.entries(attributes)
    .map(([name, value]) =>
      value === undefined ? "" : ` ${name}="${typeof value === "number" ? round(value) : escapeXml(value)}"`,
    )
    .join("");
}

const element = (name: string, attributes: Attributes, content = ""): string =>
  `<${name}${written(attributes)}${content === "" ? "/>" : `>${content}</${name}>`}`;

const ANCHORS: Readonly<Record<string, string>> = { center: "middle", right: "end" };

/** Width of a text in a font, as CSS writes it. */
export type MeasureFont = (text: string, font: string) => CssPixels;

export class SvgContext implements Context {
  fillStyle: Context["fillStyle"] = "#000";
  strokeStyle: Context["strokeStyle"] = "#000";
  globalAlpha = 1;
  lineWidth = 1;
  font = "11px sans-serif";
  textAlign: Context["textAlign"] = "left";
  textBaseline: Context["textBaseline"] = "alphabetic";
  // Lines are joined round and pixels stay pixels, whatever is asked for: our painters never ask for anything else.
  lineJoin: Context["lineJoin"] = "round";
  imageSmoothingEnabled = false;

  /** Lengths as SVG writes them; set by `setLineDash`. */
  dash = "";

  private readonly parts: string[] = [];
  private path = "";
  private clips = 0;
  /** Groups that are open. */
  private groups = 0;
  /** For each `save` all that was set. */
  private readonly saved: this[] = [];

  constructor(
    private readonly width: CssPixels,
    private readonly height: CssPixels,
    private readonly measure: MeasureFont,
  ) {}

  toString(): string {
    const { width, height, parts } = this;
    const frame = {
      xmlns: "http://www.w3.org/2000/svg",
      width,
      height,
      viewBox: `0 0 ${round(width)} ${round(height)}`,
    };
    return `${element("svg", frame, `\n${parts.join("\n")}\n`)}\n`;
  }

  save(): void {
    this.saved.push({ ...this });
  }

  restore(): void {
    const before = this.saved.pop();
    if (before === undefined) return;
    for (; this.groups > before.groups; this.groups -= 1) this.parts.push("</g>");
    Object.assign(this, before, { path: this.path, clips: this.clips });
  }

  translate(x: number, y: number): void {
    this.group({ transform: `translate(${round(x)} ${round(y)})` });
  }

  scale(x: number, y: number): void {
    this.group({ transform: `scale(${x} ${y})` });
  }

  clip(): void {
    const id = `clip${(this.clips += 1)}`;
    this.parts.push(element("clipPath", { id }, element("path", { d: this.path })));
    this.group({ "clip-path": `url(#${id})` });
  }

  beginPath(): void {
    this.path = "";
  }

  closePath(): void {
    this.path += "Z";
  }

  moveTo(x: number, y: number): void {
    this.add("M", x, y);
  }

  /** The first point of a path is where it begins, as on a canvas. */
  lineTo(x: number, y: number): void {
    this.add(this.path === "" ? "M" : "L", x, y);
  }

  bezierCurveTo(x1: number, y1: number, x2: number, y2: number, x: number, y: number): void {
    this.add("C", x1, y1, x2, y2, x, y);
  }

  /** Clockwise. A whole turn is two arcs, for SVG has none from a point to itself. */
  arc(x: number, y: number, radius: number, from: number, to: number): void {
    const at = (angle: number): [number, number] => [x + radius * Math.cos(angle), y + radius * Math.sin(angle)];
    const middle = (from + to) / 2;
    this.lineTo(...at(from));
    for (const end of [middle, to]) this.add("A", radius, radius, 0, 0, 1, ...at(end));
  }

  rect(x: number, y: number, width: number, height: number): void {
    this.add("M", x, y);
    this.path += `h${round(width)}v${round(height)}h${round(-width)}Z`;
  }

  /** Corners of one radius, or of four: top left, top right, bottom right, bottom left. */
  roundRect(x: number, y: number, width: number, height: number, radii: unknown = 0): void {
    const [a, b, c, d] = Array.isArray(radii) ? (radii as number[]) : new Array<number>(4).fill(Number(radii));
    const corner = (radius: number, toX: number, toY: number): void => this.add("A", radius, radius, 0, 0, 1, toX, toY);
    this.moveTo(x + a, y);
    this.lineTo(x + width - b, y);
    corner(b, x + width, y + b);
    this.lineTo(x + width, y + height - c);
    corner(c, x + width - c, y + height);
    this.lineTo(x + d, y + height);
    corner(d, x, y + height - d);
    this.lineTo(x, y + a);
    corner(a, x + a, y);
    this.closePath();
  }

  fill(): void {
    this.push("path", { d: this.path, ...this.filled() });
  }

  stroke(): void {
    this.push("path", { d: this.path, ...this.stroked() });
  }

  fillRect(x: number, y: number, width: number, height: number): void {
    this.box(x, y, width, height, this.filled());
  }

  strokeRect(x: number, y: number, width: number, height: number): void {
    this.box(x, y, width, height, this.stroked());
  }

  setLineDash(lengths: Iterable<number>): void {
    this.dash = [...lengths].join(" ");
  }

  fillText(text: string, x: number, y: number): void {
    const [, bold, size, family] = /^(600 )?([\d.]+)px (.*)$/.exec(this.font) ?? [];
    const attributes = {
      x,
      y,
      dy: this.textBaseline === "middle" ? "0.35em" : undefined,
      "text-anchor": ANCHORS[this.textAlign],
      "font-family": family,
      "font-size": Number(size),
      "font-weight": bold?.trim(),
      ...this.filled(),
    };
    this.parts.push(element("text", attributes, escapeXml(text) || " "));
  }

  measureText(text: string): { readonly width: CssPixels } {
    return { width: this.measure(text, this.font) };
  }

  /** As a bitmap of one pixel per element: a matrix has more of them than any editor could hold as shapes. */
  drawImage(image: HTMLCanvasElement, x: number, y: number, width: number, height: number): void {
    const sharp = {
      preserveAspectRatio: "none",
      "image-rendering": "optimizeSpeed",
      style: "image-rendering:pixelated",
    };
    this.parts.push(element("image", { x, y, width, height, ...sharp, href: image.toDataURL() }));
  }

  private box(x: number, y: number, width: number, height: number, style: Attributes): void {
    this.push("rect", { x, y, width: Math.max(0, width), height: Math.max(0, height), ...style });
  }

  private group(attributes: Attributes): void {
    this.parts.push(`<g${written(attributes)}>`);
    this.groups += 1;
  }

  private add(command: string, ...places: readonly number[]): void {
    this.path += command + places.map(round).join(" ");
  }

  private push(name: string, attributes: Attributes): void {
    if (attributes.d !== "") this.parts.push(element(name, attributes));
  }

  private filled(): Attributes {
    return { fill: this.fillStyle as string, "fill-opacity": this.opacity() };
  }

  private stroked(): Attributes {
    return {
      fill: "none",
      stroke: this.strokeStyle as string,
      "stroke-width": this.lineWidth,
      "stroke-linejoin": "round",
      "stroke-dasharray": this.dash === "" ? undefined : this.dash,
      "stroke-opacity": this.opacity(),
    };
  }

  private opacity(): number | undefined {
    return this.globalAlpha === 1 ? undefined : this.globalAlpha;
  }
}
