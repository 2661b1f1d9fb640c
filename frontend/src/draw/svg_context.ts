/*
 * A context that writes an SVG file instead of pixels.
 *
 * The one invariant: the file is a document that the browser itself writes, for names of nodes are hostile text and end in a file that a browser will
 * open. What `restore` ends (moves, clips) is a group of it; paths, rectangles and texts become elements as they are painted.
 */

import type { CssPixels } from "../units";
import type { Context } from "./context";

const SVG = "http://www.w3.org/2000/svg";

/** Control characters are not allowed in XML at all, escaped or not. */
export function withoutControls(text: string): string {
  return text.replace(/[^\P{Cc}\t\n\r]|[\ufffe\uffff]/gu, "\ufffd");
}

/** Attributes of an element. A number is rounded, undefined leaves one out. */
type Attributes = Readonly<Record<string, string | number | undefined>>;

const round = (value: number): string => String(Math.round(value * 100) / 100);

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

  readonly #root: Element;
  /** The group that is open. */
  private group: Element;
  #path = "";
  #clips = 0;
  /** For each `save` all that was set, the open group with it; what is #private is not part of it. */
  private readonly saved: this[] = [];

  constructor(
    width: CssPixels,
    height: CssPixels,
    private readonly measure: MeasureFont,
  ) {
    this.#root = this.group = document.createElementNS(SVG, "svg");
    this.#set(this.#root, { width, height, viewBox: `0 0 ${round(width)} ${round(height)}` });
  }

  toString(): string {
    return new XMLSerializer().serializeToString(this.#root);
  }

  save(): void {
    this.saved.push({ ...this });
  }

  restore(): void {
    Object.assign(this, this.saved.pop());
  }

  translate(x: number, y: number): void {
    this.#enter({ transform: `translate(${round(x)} ${round(y)})` });
  }

  scale(x: number, y: number): void {
    this.#enter({ transform: `scale(${x} ${y})` });
  }

  clip(): void {
    const id = `clip${(this.#clips += 1)}`;
    this.#set(this.#add("clipPath", { id }).appendChild(document.createElementNS(SVG, "path")), { d: this.#path });
    this.#enter({ "clip-path": `url(#${id})` });
  }

  beginPath(): void {
    this.#path = "";
  }

  closePath(): void {
    this.#path += "Z";
  }

  moveTo(x: number, y: number): void {
    this.#go("M", x, y);
  }

  /** The first point of a path is where it begins, as on a canvas. */
  lineTo(x: number, y: number): void {
    this.#go(this.#path === "" ? "M" : "L", x, y);
  }

  bezierCurveTo(x1: number, y1: number, x2: number, y2: number, x: number, y: number): void {
    this.#go("C", x1, y1, x2, y2, x, y);
  }

  /** Clockwise. A whole turn is two arcs, for SVG has none from a point to itself. */
  arc(x: number, y: number, radius: number, from: number, to: number): void {
    const at = (angle: number): [number, number] => [x + radius * Math.cos(angle), y + radius * Math.sin(angle)];
    const middle = (from + to) / 2;
    this.lineTo(...at(from));
    for (const end of [middle, to]) this.#go("A", radius, radius, 0, 0, 1, ...at(end));
  }

  rect(x: number, y: number, width: number, height: number): void {
    this.#go("M", x, y);
    this.#path += `h${round(width)}v${round(height)}h${round(-width)}Z`;
  }

  /** Corners of one radius, or of four: top left, top right, bottom right, bottom left. */
  roundRect(x: number, y: number, width: number, height: number, radii: unknown = 0): void {
    const [a, b, c, d] = Array.isArray(radii) ? (radii as number[]) : new Array<number>(4).fill(Number(radii));
    const corner = (radius: number, toX: number, toY: number): void => this.#go("A", radius, radius, 0, 0, 1, toX, toY);
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
    if (this.#path !== "") this.#add("path", { d: this.#path, ...this.#filled() });
  }

  stroke(): void {
    if (this.#path !== "") this.#add("path", { d: this.#path, ...this.#stroked() });
  }

  fillRect(x: number, y: number, width: number, height: number): void {
    this.#box(x, y, width, height, this.#filled());
  }

  strokeRect(x: number, y: number, width: number, height: number): void {
    this.#box(x, y, width, height, this.#stroked());
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
      ...this.#filled(),
    };
    this.#add("text", attributes).textContent = withoutControls(text) || " ";
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
    this.#add("image", { x, y, width, height, ...sharp, href: image.toDataURL() });
  }

  #box(x: number, y: number, width: number, height: number, style: Attributes): void {
    this.#add("rect", { x, y, width: Math.max(0, width), height: Math.max(0, height), ...style });
  }

  #set(element: Element, attributes: Attributes): void {
    for (const [name, value] of Object.entries(attributes))
      if (value !== undefined) element.setAttribute(name, typeof value === "number" ? round(value) : value);
  }

  #add(name: string, attributes: Attributes): Element {
    const element = this.group.appendChild(document.createElementNS(SVG, name));
    this.#set(element, attributes);
    return element;
  }

  #enter(attributes: Attributes): void {
    this.group = this.#add("g", attributes);
  }

  #go(command: string, ...places: readonly number[]): void {
    this.#path += command + places.map(round).join(" ");
  }

  #filled(): Attributes {
    return { fill: this.fillStyle as string, "fill-opacity": this.#opacity() };
  }

  #stroked(): Attributes {
    return {
      fill: "none",
      stroke: this.strokeStyle as string,
      "stroke-width": this.lineWidth,
      "stroke-linejoin": "round",
      "stroke-dasharray": this.dash === "" ? undefined : this.dash,
      "stroke-opacity": this.#opacity(),
    };
  }

  #opacity(): number | undefined {
    return this.globalAlpha === 1 ? undefined : this.globalAlpha;
  }
}
