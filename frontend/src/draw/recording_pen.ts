/*
 * The pen of the tests: it writes down what is drawn, so that a test reads like the picture it checks. A character is 6 pixels wide.
 */

import type { Box, Fill, Hatch, Pen, Pixels, Stroke, TextStyle } from "./pen";

export type Drawn =
  | { readonly op: "rect"; readonly box: Box; readonly fill: Fill }
  | { readonly op: "outline"; readonly box: Box; readonly stroke: Stroke }
  | { readonly op: "line"; readonly from: [number, number]; readonly to: [number, number]; readonly stroke: Stroke }
  | { readonly op: "polyline"; readonly xs: number[]; readonly ys: number[]; readonly stroke: Stroke }
  | {
      readonly op: "band";
      readonly xs: number[];
      readonly lower: number[];
      readonly upper: number[];
      readonly fill: Fill;
    }
  | { readonly op: "polygon"; readonly points: readonly number[]; readonly fill: Fill; readonly stroke?: Stroke }
  | { readonly op: "circle"; readonly x: number; readonly y: number; readonly radius: number }
  | { readonly op: "text"; readonly text: string; readonly x: number; readonly y: number; readonly style: TextStyle }
  | { readonly op: "hatch"; readonly box: Box; readonly hatch: Hatch }
  | { readonly op: "image"; readonly pixels: Pixels; readonly box: Box };

type Op = Drawn["op"];

const CHARACTER_WIDTH = 6;

export class RecordingPen implements Pen {
  readonly drawn: Drawn[] = [];

  rect(box: Box, fill: Fill): void {
    this.drawn.push({ op: "rect", box, fill });
  }
  outline(box: Box, stroke: Stroke): void {
    this.drawn.push({ op: "outline", box, stroke });
  }
  line(x0: number, y0: number, x1: number, y1: number, stroke: Stroke): void {
    this.drawn.push({ op: "line", from: [x0, y0], to: [x1, y1], stroke });
  }
  polyline(xs: Float32Array, ys: Float32Array, count: number, stroke: Stroke): void {
    this.drawn.push({ op: "polyline", xs: [...xs.slice(0, count)], ys: [...ys.slice(0, count)], stroke });
  }
  band(xs: Float32Array, lower: Float32Array, upper: Float32Array, count: number, fill: Fill): void {
    const take = (values: Float32Array): number[] => [...values.slice(0, count)];
    this.drawn.push({ op: "band", xs: take(xs), lower: take(lower), upper: take(upper), fill });
  }
  polygon(points: readonly number[], fill: Fill, stroke?: Stroke): void {
    this.drawn.push({ op: "polygon", points, fill, stroke });
  }
  circle(x: number, y: number, radius: number): void {
    this.drawn.push({ op: "circle", x, y, radius });
  }
  text(text: string, x: number, y: number, style: TextStyle): void {
    this.drawn.push({ op: "text", text, x, y, style });
  }
  hatch(box: Box, hatch: Hatch): void {
    this.drawn.push({ op: "hatch", box, hatch });
  }
  image(pixels: Pixels, box: Box): void {
    this.drawn.push({ op: "image", pixels: { ...pixels, data: pixels.data.slice() }, box });
  }
  textWidth(text: string): number {
    return text.length * CHARACTER_WIDTH;
  }
  clip(_box: Box, draw: () => void): void {
    draw();
  }

  /** All calls of one kind, in order. */
  of<K extends Op>(op: K): Extract<Drawn, { op: K }>[] {
    return this.drawn.filter((call): call is Extract<Drawn, { op: K }> => call.op === op);
  }

  texts(): string[] {
    return this.of("text").map((call) => call.text);
  }
}
