/*
 * The input that the shown example came from, beside its feature maps. The one invariant: it is the same example at the same step, or it isn't
 * there.
 */

import type { JSX } from "preact";
import { useCallback, useMemo } from "preact/hooks";
import { Picture } from "../charts/picture";
import { colormap } from "../colormap";
import { formatCount } from "../format";
import { nodes, run } from "../state";
import { paintExample } from "../tensor/paint";
import type { GraphNode } from "../types";
import type { Paint } from "../widgets/canvas";
import { useValue, valueKey } from "./data";
import type { Scene } from "./scene";

/** The first recorded input that is an image: [batch, height, width], or with one channel, or with red, green and blue. */
export function imageInput(all: readonly GraphNode[]): GraphNode | undefined {
  return all.find(({ kind, state, shape }) => {
    if (kind !== "input" || state !== "materialized" || shape === null) return false;
    return shape.length === 4
      ? shape[3] === 1 || shape[3] === 3
      : shape.length === 3 && (shape[1] ?? 0) > 7 && (shape[2] ?? 0) > 7;
  });
}

export function InputThumb({ scene }: { readonly scene: Scene }): JSX.Element | null {
  const input = useMemo(() => imageInput(nodes.value), [nodes.value]);
  // Beside an input's own channels only what they make together is new.
  const wanted = input !== undefined && (input !== scene.node || input.shape?.[3] === 3) && scene.subject.batched;
  const key = wanted ? valueKey(run.value, input.name, scene.step, "value") : null;
  const { data } = useValue(key);
  const example = scene.index[0];
  const base = useCallback<Paint>(
    (pen, { width, height }, palette) => {
      if (data === null) return;
      const pixels = paintExample(data, example, colormap("gray"));
      const side = Math.min(width, height);
      const box = { x: 0, y: 0, width: side, height: (side * pixels.height) / pixels.width };
      pen.image(pixels, box);
      pen.outline({ x: 0.5, y: 0.5, width: box.width - 1, height: box.height - 1 }, { color: palette.tile, width: 1 });
    },
    [data, example],
  );
  if (data === null || data.batch_axis !== 0 || example >= data.shape[0]) return null;
  const name = input?.name;
  const which = `example ${formatCount(example + 1)}`;
  return (
    <figure class="input-thumb">
      <Picture label={`${name}, ${which}`} base={base} className="thumb" />
      <figcaption>
        <span class="ellipsis" title={name}>
          {name}
        </span>
        {which}
      </figcaption>
    </figure>
  );
}
