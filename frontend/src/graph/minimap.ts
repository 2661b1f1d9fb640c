/** The whole graph, small, with the part that is seen. Shown when the page is much larger than the view. */

import type { Context } from "../draw/context";
import type { CssPixels } from "../units";
import { visiblePart, type Camera, type Size } from "./camera";
import { fillOf } from "./cells";
import type { StepPicture } from "./paint_step";
import { colormap } from "../colormap";

/** The size it may take at most, and of the view's height. */
const MINIMAP: Size = { width: 168, height: 112 };
const HEIGHT_SHARE = 0.4;
const LEAST_VIEW: Size = { width: 504, height: 180 };
const EDGE: CssPixels = 4;

/** As large as it takes to show the page in its proportions. */
export function minimapSize(page: Size, view: Size): Size {
  const most = Math.min(MINIMAP.height, HEIGHT_SHARE * view.height);
  const height = ((MINIMAP.width - 2 * EDGE) * page.height) / page.width + 2 * EDGE;
  return { width: MINIMAP.width, height: Math.round(Math.min(most, Math.max(6 * EDGE, height))) };
}

/** How much larger than the view the page must be before a minimap helps. In a small view it would hide more than it shows. */
const LARGE = 1.4;

export function needsMinimap(page: Size, camera: Camera, view: Size): boolean {
  if (view.width < LEAST_VIEW.width || view.height < LEAST_VIEW.height) return false;
  return Math.max((page.width * camera.zoom) / view.width, (page.height * camera.zoom) / view.height) > LARGE;
}

/** The camera of the minimap itself. Unlike `overview` it may become as small as it takes. */
export function minimapCamera(page: Size, view: Size): Camera {
  const { width, height } = minimapSize(page, view);
  const zoom = Math.min((width - 2 * EDGE) / page.width, (height - 2 * EDGE) / page.height);
  return { x: (width - page.width * zoom) / 2, y: (height - page.height * zoom) / 2, zoom };
}

/** The camera that shows the place (x, y) of the minimap in the middle of the view. */
export function cameraAt(page: Size, camera: Camera, view: Size, x: CssPixels, y: CssPixels): Camera {
  const small = minimapCamera(page, view);
  const center = { x: (x - small.x) / small.zoom, y: (y - small.y) / small.zoom };
  return { zoom: camera.zoom, x: view.width / 2 - center.x * camera.zoom, y: view.height / 2 - center.y * camera.zoom };
}

export function paintMinimap(context: Context, picture: StepPicture): void {
  const { scene, ink, cellOf } = picture;
  const small = minimapCamera(scene.boxes[0], picture.view);
  const map = colormap(picture.map);
  context.save();
  context.translate(small.x, small.y);
  context.scale(small.zoom, small.zoom);
  scene.boxes.forEach((box, item) => {
    if (item === 0) return;
    const cell = scene.texts[item].node < 0 ? undefined : cellOf?.(scene.texts[item].node);
    const open = scene.visible.items[item].open;
    context.globalAlpha = open ? 0.12 : 1;
    context.fillStyle =
      item === picture.selected
        ? ink.here
        : open || cell === undefined || cell.place < 0
          ? ink.control
          : fillOf(cell, map);
    context.fillRect(box.x, box.y, box.width, box.height);
  });
  const part = visiblePart(picture.camera, picture.view);
  context.globalAlpha = 1;
  context.strokeStyle = ink.hereLine;
  context.lineWidth = 1.5 / small.zoom;
  context.strokeRect(part.x, part.y, part.width, part.height);
  context.restore();
}
