/*
 * A chart over steps on the page: its picture, what pointer and keys do on it, and the tip at the step under the pointer.
 * The one invariant: all such charts mark the same step, the same pointer and the same range that is dragged.
 */

import type { ComponentChildren, JSX } from "preact";
import { useCallback } from "preact/hooks";
import { Picture } from "../charts/picture";
import { drawBrush, drawCrosshair, drawCurrentStep, type Plot, xOf } from "../charts/plot";
import { brush, hoverStep, shown } from "../charts/shared";
import { chartPointer, STEP_KEYS } from "../charts/step_pointer";
import { Tip } from "../charts/tip";
import { step } from "../state";
import type { Step } from "../units";
import type { Area, Paint } from "../widgets/canvas";

interface StepChartProps {
  readonly label: string;
  /** The recorded steps that it shows. */
  readonly steps: Float64Array;
  readonly base: Paint;
  readonly area: { current: Area };
  /** Where `base` has drawn, top to bottom. */
  readonly plots: { readonly current: readonly Pick<Plot, "box" | "x">[] };
  readonly tip: (at: Step) => ComponentChildren;
}

export function StepChart({ label, steps, base, area, plots, tip }: StepChartProps): JSX.Element {
  const over = useOver(plots);
  const [plot] = plots.current;
  const aim = hoverStep.value;
  return (
    <Picture
      className="fill"
      label={label}
      keys={STEP_KEYS}
      base={base}
      over={over}
      areaRef={area}
      {...chartPointer(plots, steps)}
    >
      {aim !== null && plot !== undefined && brush.value === null && (
        <Tip x={xOf(plot, aim)} y={plot.box.y + 8}>
          {tip(aim)}
        </Tip>
      )}
    </Picture>
  );
}

/** The layer above: where we are, where the pointer is, what is being dragged. */
function useOver(plots: { readonly current: readonly Pick<Plot, "box" | "x">[] }): Paint {
  const here = step.value;
  const aim = hoverStep.value;
  const dragged = brush.value;
  return useCallback<Paint>(
    (pen, _area, palette) => {
      plots.current.forEach((plot) => {
        if (here !== null) drawCurrentStep(pen, plot, here, palette);
        if (dragged !== null) drawBrush(pen, plot, dragged, palette);
        else if (aim !== null) drawCrosshair(pen, plot, aim, palette);
      });
    },
    // The range that is shown moves the plots under the marks.
    [here, aim, dragged, plots, shown.value],
  );
}
