/*
 * Histogram over steps, as a heat map or as ridges, with the range of steps that is zoomed to.
 * The one invariant: all columns stand on the same edges over the whole history, so a step change never moves the axis of values.
 */

import type { JSX } from "preact";
import { useCallback, useMemo, useRef } from "preact/hooks";
import { colormap } from "../colormap";
import { formatCount, formatNumber, formatShare } from "../format";
import { histogramStyle } from "./state";
import { CardHead } from "./card";
import { ChartMenu } from "./export_menu";
import { step as currentStep } from "../state";
import type { Histogram, Quantity } from "../types";
import type { Area, Paint } from "../widgets/canvas";
import { Segmented } from "../widgets/controls";
import { type CommonHistogram, columnAt, commonRange, rebin, sampledWords } from "../charts/histogram";
import { drawHistogramHeat, drawRidges, saturatingShare } from "../charts/histogram_chart";
import { type History, nonFiniteMarks } from "../charts/history";
import { Picture } from "../charts/picture";
import { type Plot, xOf } from "../charts/plot";
import { brush, gaps, hoverStep, shown, whole } from "../charts/shared";
import { useOver } from "./statistics_card";
import { STEP_KEYS, useStepPointer } from "../charts/step_pointer";
import { Tip } from "../charts/tip";

/** Bins of the common edges: more than a capture has, so that rebinning blurs little. */
const COMMON_BINS = 96;

const STYLES = [
  { value: "heat" as const, label: "heat map" },
  { value: "ridges" as const },
  { value: "overlay" as const },
];

export function useCommon(histogram: Histogram | null): CommonHistogram | null {
  return useMemo(() => {
    const range = histogram === null ? undefined : commonRange(histogram);
    if (histogram === null || range === undefined) return null;
    const air = (range.high - range.low) * 0.02 || Math.abs(range.low) * 0.05 || 0.5;
    return rebin(histogram, range.low - air, range.high + air, COMMON_BINS);
  }, [histogram]);
}

export function HistogramCard({
  name,
  histogram,
  history,
  quantity,
  pending,
}: {
  readonly name: string;
  readonly histogram: CommonHistogram;
  readonly history: History;
  readonly quantity: Quantity;
  readonly pending: boolean;
}): JSX.Element {
  const style = histogramStyle.value;
  const area = useRef<Area>({ width: 0, height: 0 });
  const plots = useRef<readonly Plot[]>([]);
  const heat = useHeat(histogram, history, plots);
  const ridges = useRidges(histogram, quantity, style === "overlay");
  const base = style === "heat" ? heat : ridges;
  const column = currentStep.value === null ? -1 : columnAt(histogram, currentStep.value);
  const sampled = sampledWords(histogram, column, formatCount);
  return (
    <>
      <CardHead
        title="Histogram over steps"
        note={["share of elements", sampled].filter(Boolean).join(" · ")}
        pending={pending}
      >
        <Segmented name="Style" value={style} options={STYLES} onChange={(chosen) => (histogramStyle.value = chosen)} />
        <ChartMenu name={`${name} ${quantity} histogram`} base={base} area={area} />
      </CardHead>
      {style === "heat" ? (
        <HeatPicture histogram={histogram} base={base} area={area} plots={plots} quantity={quantity} />
      ) : (
        <Picture
          className="fill"
          label={`Histograms of the ${quantity} at a dozen steps.`}
          base={base}
          areaRef={area}
        />
      )}
    </>
  );
}

function useHeat(histogram: CommonHistogram, history: History, plots: { current: readonly Plot[] }): Paint {
  const range = shown.value;
  const lost = gaps.value;
  const saturating = useMemo(() => saturatingShare(histogram.shares), [histogram]);
  return useCallback<Paint>(
    (pen, { width, height }, palette) => {
      const picture = {
        histogram,
        map: colormap("dens"),
        range,
        gaps: lost,
        marks: nonFiniteMarks(history),
        saturating,
      };
      plots.current = [drawHistogramHeat(pen, width, height, picture, palette)];
    },
    [histogram, history, range, lost, plots, saturating],
  );
}

function useRidges(histogram: CommonHistogram, quantity: Quantity, overlay: boolean): Paint {
  const range = shown.value;
  const step = currentStep.value;
  return useCallback<Paint>(
    (pen, { width, height }, palette) =>
      drawRidges(pen, width, height, { histogram, range, step, color: palette.quantity[quantity], overlay }, palette),
    [histogram, range, step, quantity, overlay],
  );
}

function HeatPicture({
  histogram,
  base,
  area,
  plots,
  quantity,
}: {
  readonly histogram: CommonHistogram;
  readonly base: Paint;
  readonly area: { current: Area };
  readonly plots: { current: readonly Plot[] };
  readonly quantity: Quantity;
}): JSX.Element {
  const handlers = useStepPointer({ plots, steps: histogram.start, whole: whole.value });
  const over = useOver(plots);
  const plot = plots.current[0];
  const aim = hoverStep.value;
  const column = aim === null ? -1 : columnAt(histogram, aim);
  return (
    <Picture
      className="fill"
      label={`Histogram of the ${quantity} over steps, from ${formatNumber(histogram.low)} to ${formatNumber(histogram.high)}. ${mode(histogram)}`}
      keys={STEP_KEYS}
      base={base}
      over={over}
      areaRef={area}
      {...handlers}
    >
      {aim !== null && column >= 0 && plot !== undefined && brush.value === null && (
        <Tip x={xOf(plot, aim)} y={plot.box.y + 8}>
          <b>step {formatCount(aim)}</b>
          <div class="dim">{histogram.counted[column] > 0 ? fullest(histogram, column) : "no histogram"}</div>
        </Tip>
      )}
    </Picture>
  );
}

/** The bin with the largest share, in words. */
function fullest(histogram: CommonHistogram, column: number): string {
  const { bins, shares, low, high } = histogram;
  let best = 0;
  for (let bin = 1; bin < bins; bin += 1) if (shares[column * bins + bin] > shares[column * bins + best]) best = bin;
  const width = (high - low) / bins;
  const [from, to] = [low + best * width, low + (best + 1) * width];
  return `${formatShare(shares[column * bins + best])} between ${formatNumber(from)} and ${formatNumber(to)}`;
}

function mode(histogram: CommonHistogram): string {
  const step = currentStep.value;
  const column = step === null ? -1 : columnAt(histogram, step);
  return column < 0 || step === null || histogram.counted[column] === 0
    ? ""
    : `At step ${formatCount(step)} most elements, ${fullest(histogram, column)}.`;
}
