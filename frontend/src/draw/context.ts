/*
 * What is drawn on: the part of a canvas's context that our painters use. A canvas has it, and so has an SVG file (`SvgContext`).
 * The one invariant: painters know no other context, so whatever is on the screen can be saved as either.
 */

type Shared =
  | "save"
  | "restore"
  | "translate"
  | "scale"
  | "beginPath"
  | "closePath"
  | "moveTo"
  | "lineTo"
  | "bezierCurveTo"
  | "arc"
  | "rect"
  | "roundRect"
  | "fillRect"
  | "strokeRect"
  | "setLineDash"
  | "fillStyle"
  | "strokeStyle"
  | "globalAlpha"
  | "lineWidth"
  | "lineJoin"
  | "font"
  | "textAlign"
  | "textBaseline"
  | "imageSmoothingEnabled";

export interface Context extends Pick<CanvasRenderingContext2D, Shared> {
  fill(): void;
  stroke(): void;
  clip(): void;
  fillText(text: string, x: number, y: number): void;
  measureText(text: string): { readonly width: number };
  drawImage(image: HTMLCanvasElement, x: number, y: number, width: number, height: number): void;
}
