/** What the pointer does on the graph: drag pans, the wheel zooms at the pointer, a click selects or opens, hovering shows a tip. */

import { placeOf } from "../charts/picture";
import type { CssPixels } from "../units";
import type { Point } from "./camera";
import { cameraAt } from "./minimap";
import { isScope, type Scene } from "./scene";
import { textStart } from "./boxes";
import { titleStart } from "./paint";
import type { GraphStage } from "./stage";

/** `toggles`: the click was meant for the scope, not for the node. */
export type Activate = (stage: GraphStage, scene: Scene, item: number, toggles: boolean) => void;

export interface StageHandlers {
  readonly onPointerDown: (event: PointerEvent) => void;
  readonly onPointerMove: (event: PointerEvent) => void;
  readonly onPointerUp: (event: PointerEvent) => void;
  readonly onPointerCancel: () => void;
  readonly onPointerLeave: () => void;
  readonly onWheel: (event: WheelEvent) => void;
  readonly onDblClick: (event: MouseEvent) => void;
}

/** Movement below this is a click with an unsteady hand. */
const CLICK_DISTANCE: CssPixels = 4;
/** Pixels of a wheel that are one notch. */
const NOTCH: CssPixels = 100;

interface Press {
  last: Point;
  moved: boolean;
}

/** Does a place on a scope's box mean its triangle? In an open scope the whole title does, unless the scope is a node itself. */
function onTriangle(scene: Scene, item: number, stage: GraphStage, at: Point): boolean {
  if (!isScope(scene, item)) return false;
  const box = scene.boxes[item];
  const x = (at.x - stage.camera.x) / stage.camera.zoom;
  const open = scene.visible.items[item].open;
  return x <= (open ? titleStart(box, stage.camera) + 24 : box.x + textStart(scene.texts[item]));
}

export function pointerHandlers(stage: GraphStage, activate: Activate): StageHandlers {
  let press: Press | null = null;
  const click = (at: Point): void => {
    const scene = stage.scene.peek();
    const hit = stage.hit(at);
    if (scene === null || hit === null) return;
    const frame = scene.visible.items[hit.item].open;
    // The ground of an open scope is ground: only its title acts.
    if (frame && !hit.onTitle) return;
    activate(stage, scene, hit.item, onTriangle(scene, hit.item, stage, at));
  };
  return {
    onPointerDown: (event) => {
      if (event.button !== 0) return;
      // The focus stays where it is: arrow keys go on meaning steps for who uses the mouse.
      event.preventDefault();
      (event.currentTarget as HTMLElement).setPointerCapture(event.pointerId);
      press = { last: placeOf(event), moved: false };
    },
    onPointerMove: (event) => {
      const at = placeOf(event);
      if (press === null) {
        stage.hover(at);
        return;
      }
      const [dx, dy] = [at.x - press.last.x, at.y - press.last.y];
      if (!press.moved && Math.hypot(dx, dy) < CLICK_DISTANCE) return;
      if (!press.moved) stage.hover(null);
      press = { last: at, moved: true };
      stage.pan(dx, dy);
    },
    onPointerUp: (event) => {
      const held = press;
      press = null;
      if (held !== null && !held.moved) click(placeOf(event));
    },
    onPointerCancel: () => (press = null),
    onPointerLeave: () => stage.hover(null),
    onWheel: (event) => {
      event.preventDefault();
      const pixels = event.deltaMode === WheelEvent.DOM_DELTA_LINE ? event.deltaY * 33 : event.deltaY;
      // Pinching on a touchpad comes as a wheel with Ctrl in small steps.
      stage.zoom(-(pixels / NOTCH) * (event.ctrlKey ? 5 : 1), placeOf(event));
      stage.hover(placeOf(event));
    },
    onDblClick: (event) => {
      const scene = stage.scene.peek();
      const hit = stage.hit(placeOf(event));
      if (scene === null || hit === null) return;
      const { node } = scene.texts[hit.item];
      // Of a scope that is no node, each of the two clicks has already opened and closed.
      if (node >= 0 && isScope(scene, hit.item) && hit.onTitle) activate(stage, scene, hit.item, true);
    },
  };
}

export function minimapHandlers(stage: GraphStage): Pick<StageHandlers, "onPointerDown" | "onPointerMove"> {
  const go = (event: PointerEvent): void => {
    const page = stage.scene.peek()?.boxes[0];
    if (page === undefined || event.buttons !== 1) return;
    const { x, y } = placeOf(event);
    stage.moveTo(cameraAt(page, stage.camera, stage.view, x, y));
  };
  return {
    onPointerDown: (event) => {
      event.preventDefault();
      (event.currentTarget as HTMLElement).setPointerCapture(event.pointerId);
      go(event);
    },
    onPointerMove: (event) => {
      event.stopPropagation();
      go(event);
    },
  };
}
