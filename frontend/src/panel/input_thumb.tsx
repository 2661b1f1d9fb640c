/*
 * The input that the shown example came from, beside its feature maps. The one invariant: it is the same example at the same step, or it isn't
 * there.
 */

import type { JSX } from "preact";
import { useCallback, useMemo } from "preact/hooks";
import { Picture } from "../charts/picture";
import { makeScale } from "../charts/scale";
import { colormap, finiteRange } from "../colormap";
import { formatCount } from "../format";
import { nodes, run } from "../state";
import { paintPlane } from "../tensor/paint";
import { flatten, planeOf } from "../tensor/plane";
import type { GraphNode, Value } from "../types";
import type { Paint } from "../widgets/canvas";
import { useValue, valueKey } from "./data";
import type { Scene } from "./scene";

/** The first recorded input that is a grey image: [batch, height, width] or with one channel. */
export function imageInput(all: readonly GraphNode[]): GraphNode | undefined {
  return all.find(({ kind, state, shape }) => {
    if (kind !== "input" || state !== "materialized" || shape === null) return false;
    return (shape.length === 4 && shape[3] === 1) || (shape.length === 3 && (shape[1] ?? 0) > 7 && (shape[2] ?? 0) > 7);
  });
}

export function InputThumb({ scene }: { readonly scene: Scene }): JSX.Element | null {
  const input = useMemo(() => imageInput(nodes.value), [nodes.value]);
  const wanted = input !== undefined && input !== scene.node && scene.subject.batched;
  const key = wanted ? valueKey(run.value, input.name, scene.step, "value") : null;
  const { data } = useValue(key);
  const example = scene.index[0];
  if (data === null || data.batch_axis !== 0 || example >= data.shape[0]) return null;
  return (
    <figure class="input-thumb">
      <Thumb value={data} example={example} name={input?.name ?? ""} />
      <figcaption>
        <span class="ellipsis" title={input?.name}>
          {input?.name}
        </span>
        example {formatCount(example + 1)}
      </figcaption>
    </figure>
  );
}

function Thumb({
  value,
  example,
  name,
}: {
  readonly value: Value;
  readonly example: number;
  readonly name: string;
}): JSX.Element {
  const base = useCallback<Paint>(
    (pen, { width, height }, palette) => {
      const plane = planeOf(value, 1, 2, [example, 0, 0, 0]);
      const range = finiteRange(flatten(plane)) ?? { low: 0, high: 1 };
      const side = Math.min(width, height);
      const box = { x: 0, y: 0, width: side, height: (side * plane.rows) / plane.columns };
      pen.image(paintPlane(plane, makeScale("linear", range.low, range.high), colormap("gray")).pixels, box);
      pen.outline({ x: 0.5, y: 0.5, width: box.width - 1, height: box.height - 1 }, { color: palette.tile, width: 1 });
    },
    [value, example],
  );
  return <Picture label={`Example ${formatCount(example + 1)} of ${name}.`} base={base} className="thumb" />;
}
