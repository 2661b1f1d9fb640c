/**
 * The stage: the canvases of the graph, the camera, the pointer. It knows no signals of the page; the view hands it scenes and steps and hears what the
 * user does.
 *
 * The one invariant: painting happens in an animation frame, at most once per frame and canvas. A new step repaints the upper canvas only, and a hidden
 * page paints nothing (browsers give it no frames).
 */

import { signal } from "@preact/signals";
import { forgetLayer, paintInFrame } from "../draw/frame";
import type { Palette } from "../draw/palette";
import type { CssPixels } from "../units";
import { drawOn, type Drawing } from "../widgets/canvas";
import type { Measure } from "./boxes";
import * as cameras from "./camera";
import type { Camera, Point, Size } from "./camera";
import { withGraphInk } from "./ink";
import { firstItem } from "./keyboard";
import { minimapSize, needsMinimap, paintMinimap } from "./minimap";
import { paintScene, type ScenePicture } from "./paint";
import { paintStep, type StepPicture } from "./paint_step";
import { hitTest, pathOf, type Hit, type Scene } from "./scene";

/** What the stage is told by the view besides the scene. */
export type StepLook = Pick<StepPicture, "cellOf" | "map" | "byFindings" | "marks" | "selected">;

export interface Canvases {
  readonly lower: HTMLCanvasElement;
  readonly upper: HTMLCanvasElement;
  readonly minimap: HTMLCanvasElement;
}

interface Anchor {
  readonly path: string;
  readonly at: Point;
}

const ZOOM_PER_NOTCH = 1.2;
/** Around the graph in a file. */
const FILE_MARGIN: CssPixels = 16;
/** Width of the strip in which the picture fades out. */
const FADE: CssPixels = 40;

/** The stage of the graph that is on the page. */
export const stageOnPage = signal<GraphStage | null>(null);

export class GraphStage {
  readonly hovered = signal(-1);
  readonly focused = signal(-1);
  readonly pointer = signal<Point>({ x: 0, y: 0 });
  readonly minimapShown = signal(false);
  /** How often each canvas was painted: what the performance tests assert. */
  readonly paints = { lower: 0, upper: 0 };
  readonly scene = signal<Scene | null>(null);
  /** Where the user moved the camera, as an address says it; null: it is fitted. Undefined before the first picture. */
  readonly place = signal<string | null | undefined>(undefined);
  view: Size = { width: 0, height: 0 };
  camera: Camera = { x: 0, y: 0, zoom: 1 };
  #look: StepLook | null = null;
  #gradients = false;
  /** The user has not moved the camera since the last fit. */
  #fitted = true;
  /** Where an address put it: until it moves, every layout and every size of the view is seen from there. */
  #wanted: string | null = null;
  #anchor: Anchor | null = null;
  #lowerStale = false;

  constructor(
    private readonly canvases: Canvases,
    private readonly measure: Measure,
  ) {}

  dispose(): void {
    forgetLayer(this);
  }

  /** Shows a new layout. What the user just opened or closed stays where it is on the screen. */
  setScene(scene: Scene): void {
    const anchor = this.#anchor;
    const kept =
      anchor === null ? -1 : scene.boxes.findIndex((_, item) => item > 0 && pathOf(scene, item) === anchor.path);
    if (anchor !== null && kept > 0) {
      const box = scene.boxes[kept];
      this.camera = {
        ...this.camera,
        x: anchor.at.x - box.x * this.camera.zoom,
        y: anchor.at.y - box.y * this.camera.zoom,
      };
    }
    this.#anchor = null;
    this.hovered.value = this.focused.value = -1;
    // Last, since who follows the scene may move the camera.
    this.scene.value = scene;
    this.#settle();
  }

  setLook(look: StepLook): void {
    // The ground of the selected box lies on the lower canvas.
    this.#lowerStale ||= look.selected !== this.#look?.selected;
    this.#look = look;
    this.#schedule();
  }

  setGradients(shown: boolean): void {
    this.#gradients = shown;
    this.repaint();
  }

  resize(view: Size): void {
    this.view = view;
    this.#settle();
  }

  /** Goes to a place that an address names; null: fits. */
  goTo(place: string | null): void {
    this.#fitted = true;
    this.#wanted = place;
    this.#settle();
  }

  /** The place of the address counts no longer: the user went on. */
  letGo(): void {
    this.#wanted = null;
  }

  #settle(): void {
    const page = this.scene.peek()?.boxes[0];
    if (this.#wanted !== null && page !== undefined && this.view.width > 0) {
      const camera = cameras.readCamera(this.#wanted, page, this.view);
      this.#fitted = camera === null;
      this.camera = camera ?? this.camera;
    }
    if (this.#fitted) this.fit();
    this.repaint();
  }

  /** Remembers where an item stands, for the layout that follows from opening or closing it. */
  keepPlace(item: number): void {
    const scene = this.scene.peek();
    if (scene === null) return;
    const box = scene.boxes[item];
    this.#fitted = false;
    this.letGo();
    this.#anchor = {
      path: pathOf(scene, item),
      at: { x: box.x * this.camera.zoom + this.camera.x, y: box.y * this.camera.zoom + this.camera.y },
    };
  }

  /** The page at a readable size, with the selection in view. */
  fit(): void {
    const scene = this.scene.peek();
    if (scene === null || this.view.width === 0) return;
    const selected = this.#look?.selected ?? -1;
    this.camera = cameras.fit(scene.boxes[0], this.view, scene.boxes[selected > 0 ? selected : firstItem(scene)]);
    this.#fitted = true;
    this.reveal(selected);
    this.repaint();
  }

  /** Fits; when that is what is seen already, shows the whole page, however small. */
  fitOrOverview(): void {
    const scene = this.scene.peek();
    const before = this.camera;
    this.fit();
    const { x, y, zoom } = this.camera;
    if (scene !== null && before.x === x && before.y === y && before.zoom === zoom)
      this.moveTo(cameras.overview(scene.boxes[0], this.view));
  }

  moveTo(camera: Camera): void {
    this.camera = camera;
    this.#fitted = false;
    this.repaint();
  }

  pan(dx: CssPixels, dy: CssPixels): void {
    const scene = this.scene.peek();
    if (scene !== null) this.moveTo(cameras.pan(this.camera, dx, dy, scene.boxes[0], this.view));
  }

  /** Zooms by notches of the wheel or the keys + and −, around a place or the middle. */
  zoom(notches: number, at: Point = { x: this.view.width / 2, y: this.view.height / 2 }): void {
    this.moveTo(cameras.zoomAt(this.camera, ZOOM_PER_NOTCH ** notches, at.x, at.y));
  }

  reveal(item: number): void {
    const scene = this.scene.peek();
    if (scene === null || item <= 0 || this.view.width === 0) return;
    const camera = cameras.reveal(this.camera, scene.boxes[item], scene.boxes[0], this.view);
    if (camera.x === this.camera.x && camera.y === this.camera.y) return;
    this.camera = camera;
    this.repaint();
  }

  hit(at: Point): Hit | null {
    const scene = this.scene.peek();
    if (scene === null) return null;
    const page = cameras.toPage(this.camera, at.x, at.y);
    return hitTest(scene, page.x, page.y);
  }

  hover(at: Point | null): void {
    const item = at === null ? -1 : (this.hit(at)?.item ?? -1);
    if (at !== null) this.pointer.value = at;
    if (item === this.hovered.peek()) return;
    this.hovered.value = item;
    this.#schedule();
  }

  focus(item: number): void {
    this.focused.value = item;
    this.reveal(item);
    this.#schedule();
  }

  repaint(): void {
    this.#lowerStale = true;
    this.#schedule();
  }

  #schedule(): void {
    paintInFrame(this, (palette) => this.#paint(palette));
  }

  #paint(palette: Palette): void {
    const { camera, view } = this;
    const look = this.#look;
    const scene = this.scene.peek();
    if (scene === null || look === null || view.width === 0) return;
    this.place.value = this.#fitted ? null : cameras.writeCamera(camera, scene.boxes[0], view);
    if (this.place.peek() !== this.#wanted) this.letGo();
    const picture = this.#picture(scene, look, palette);
    const ratio = window.devicePixelRatio;
    if (this.#lowerStale) {
      this.#lowerStale = false;
      this.paints.lower += 1;
      drawOn(this.canvases.lower, view, ratio, (context) => paintScene(context, picture, this.measure));
    }
    this.paints.upper += 1;
    drawOn(this.canvases.upper, view, ratio, (context) => paintStep(context, picture));
    this.#fadeEdges(scene.boxes[0]);
    this.minimapShown.value = needsMinimap(scene.boxes[0], camera, view);
    if (!this.minimapShown.peek()) return;
    const size = minimapSize(scene.boxes[0], view);
    Object.assign(this.canvases.minimap.style, { width: `${size.width}px`, height: `${size.height}px` });
    drawOn(this.canvases.minimap, size, ratio, (context) => paintMinimap(context, picture));
  }

  /** Where the page goes on beyond the view, what is drawn fades out. */
  #fadeEdges(page: Size): void {
    const { x, y, width, height } = cameras.visiblePart(this.camera, this.view);
    const hidden = { left: x, top: y, right: page.width - x - width, bottom: page.height - y - height };
    const { style } = this.canvases.lower.parentElement ?? this.canvases.lower;
    for (const [side, length] of Object.entries(hidden))
      style.setProperty(`--fade-${side}`, `${Math.min(FADE, Math.max(0, length * this.camera.zoom))}px`);
  }

  #picture(scene: Scene, look: StepLook, palette: Palette): ScenePicture & StepPicture {
    return {
      scene,
      camera: this.camera,
      view: this.view,
      ink: withGraphInk(palette),
      gradients: this.#gradients,
      ...look,
      hovered: this.hovered.peek(),
      focused: this.focused.peek(),
    };
  }

  /** The whole page at its own size, as a file shows it; null before there is one. */
  drawing(): Drawing | null {
    const look = this.#look;
    const scene = this.scene.peek();
    if (scene === null || look === null) return null;
    const { width, height } = scene.boxes[0];
    const area = { width: width + 2 * FILE_MARGIN, height: height + 2 * FILE_MARGIN };
    const camera = { x: FILE_MARGIN, y: FILE_MARGIN, zoom: 1 };
    const still = { view: area, camera, hovered: -1, focused: -1 };
    return {
      area,
      draw: (context, palette) => {
        const picture = { ...this.#picture(scene, look, palette), ...still };
        paintScene(context, picture, this.measure);
        paintStep(context, picture);
      },
    };
  }
}
