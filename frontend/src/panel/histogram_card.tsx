/*
 * Histogram over steps, as a heat map or as ridges, with the range of steps that is zoomed to.
 * The one invariant: all columns stand on the same edges over the whole history, so a step change never moves the axis of values.
 */

import type { JSX } from "preact";
import { useCallback, useMemo, useRef } from "preact/hooks";
import { colormap } from "../colormap";
import { histogramCsv } from "../export/csv";
import { formatCount, formatNumber, formatShare } from "../format";
import { type HistogramStyle, histogramStyle, tables } from "./state";
import { CardHead } from "./card";
import type { Compared } from "./data";
import { ChartMenu } from "./export_menu";
import { run, step as currentStep } from "../state";
import type { Histogram, Quantity } from "../types";
import type { Step } from "../units";
import type { Area, Paint } from "../widgets/canvas";
import { NumberTable } from "../tensor/number_table";
import { Select } from "../widgets/controls";
import { type CommonHistogram, rebin, sampledWords, valueRange } from "../charts/histogram";
import { drawHistogramHeat, drawRidges, type Lane, saturatingShare } from "../charts/histogram_chart";
import { type History, nonFiniteAt, nonFiniteMarks, rowAt } from "../charts/history";
import { Picture } from "../charts/picture";
import type { Plot } from "../charts/plot";
import { gaps, shown } from "../charts/shared";
import { nearestColumn } from "../charts/timeline";
import { StepChart } from "./step_chart";

/** Bins of the common edges: more than a capture has, so that rebinning blurs little. */
const COMMON_BINS = 96;

const STYLES = [{ value: "heat" as const, label: "heat map" }, { value: "ridges" as const }];

/** A histogram, and that of a second run, on common edges. */
interface Pair {
  readonly histogram: CommonHistogram;
  readonly other: CommonHistogram | null;
  /** This share of the elements lies beyond the edges. */
  readonly cut: number;
}

export function useCommon(histogram: Histogram | null, second: Histogram | null): Pair | null {
  return useMemo(() => {
    const own = histogram === null ? undefined : valueRange(histogram);
    if (histogram === null || own === undefined) return null;
    const theirs = (second === null ? undefined : valueRange(second)) ?? own;
    const [low, high] = [Math.min(own.low, theirs.low), Math.max(own.high, theirs.high)];
    const air = (high - low) * 0.02 || Math.abs(low) * 0.05 || 0.5;
    const onEdges = (each: Histogram): CommonHistogram => rebin(each, low - air, high + air, COMMON_BINS);
    return { histogram: onEdges(histogram), other: second && onEdges(second), cut: Math.max(own.cut, theirs.cut) };
  }, [histogram, second]);
}

export function HistogramCard({
  name,
  histogram,
  other,
  cut,
  compared,
  history,
  quantity,
  pending,
  only,
}: Pair & {
  readonly name: string;
  readonly compared?: Compared;
  /** Shows this style: where there is room for a card each. */
  readonly only?: HistogramStyle;
  readonly history: History;
  readonly quantity: Quantity;
  readonly pending: boolean;
}): JSX.Element {
  const style = only ?? histogramStyle.value;
  const chart = only === "ridges" ? only : "histogram";
  const area = useRef<Area>({ width: 0, height: 0 });
  const plots = useRef<readonly Plot[]>([]);
  const theirs = useMemo(
    (): Lane | null =>
      other === null || compared === undefined
        ? null
        : { name: compared.run, histogram: other, gaps: compared.gaps, marks: nonFiniteMarks(compared.history) },
    [other, compared?.history],
  );
  const heat = useHeat(histogram, history, theirs, plots);
  const ridges = useRidges(histogram, other, quantity);
  const base = style === "heat" ? heat : ridges;
  const words = [
    sampledAt(histogram, history, currentStep.value),
    cut > 0 ? `${100 * cut} % lie beyond the axis` : "",
    theirs === null ? "" : `${style === "heat" ? "below" : "grey"}: ${theirs.name}`,
    style === "heat" ? "share of elements" : "height: √share",
  ];
  return (
    <>
      <CardHead
        title={only === "ridges" ? "Histogram at steps" : "Histogram over steps"}
        note={words.filter(Boolean).join(" · ")}
        pending={pending}
      >
        {only === undefined && (
          <Select name="Style" value={style} options={STYLES} onChange={(chosen) => (histogramStyle.value = chosen)} />
        )}
        <ChartMenu
          name={`${name} ${quantity} histogram`}
          base={base}
          area={area}
          chart={chart}
          csv={() => histogramCsv(histogram)}
        />
      </CardHead>
      {tables.value.has(chart) ? (
        <HistogramTable histogram={histogram} />
      ) : style === "heat" ? (
        <StepChart
          label={`Histogram of the ${quantity} over steps, from ${formatNumber(histogram.low)} to ${formatNumber(histogram.high)}. ${mode(histogram)}`}
          steps={histogram.start}
          base={base}
          area={area}
          plots={plots}
          tip={(at) => <HistogramTip histogram={histogram} at={at} />}
        />
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

/** The text alternative of both pictures: the share of each bin, one row per column of the heat map. */
function HistogramTable({ histogram }: { readonly histogram: CommonHistogram }): JSX.Element {
  const { start, stop, bins, shares, low, high } = histogram;
  const at = currentStep.value;
  return (
    <NumberTable
      label="Share of elements by step and bin"
      rows={start.length}
      columns={bins}
      corner="step"
      rowHead={(row) => formatCount(start[row]) + (stop[row] > start[row] ? `–${formatCount(stop[row])}` : "")}
      columnHead={(bin) => `≥ ${formatNumber(low + (bin * (high - low)) / bins)}`}
      cell={(row, bin) => shares[row * bins + bin]}
      chosenRow={at === null ? -1 : nearestColumn(histogram, at)}
    />
  );
}

/** What of the finite elements was looked at, at the step; several captures that share a column are not told apart. */
function sampledAt(histogram: CommonHistogram, history: History, at: Step | null): string {
  const column = at === null ? -1 : nearestColumn(histogram, at);
  const row = at === null ? -1 : rowAt(history, at);
  if (column < 0 || row < 0 || histogram.start[column] !== histogram.stop[column]) return "";
  return sampledWords(histogram.counted[column], histogram.elements[column] - nonFiniteAt(history, row), formatCount);
}

function useHeat(
  histogram: CommonHistogram,
  history: History,
  theirs: Lane | null,
  plots: { current: readonly Plot[] },
): Paint {
  const range = shown.value;
  const lost = gaps.value;
  const saturating = useMemo(() => saturatingShare(histogram.shares), [histogram]);
  return useCallback<Paint>(
    (pen, { width, height }, palette) => {
      const own = { name: run.peek() ?? "", histogram, gaps: lost, marks: nonFiniteMarks(history) };
      const lanes = theirs === null ? [own] : [own, theirs];
      plots.current = drawHistogramHeat(
        pen,
        width,
        height,
        { lanes, map: colormap("dens"), range, saturating },
        palette,
      );
    },
    [histogram, history, theirs, range, lost, plots, saturating],
  );
}

function useRidges(histogram: CommonHistogram, other: CommonHistogram | null, quantity: Quantity): Paint {
  const range = shown.value;
  const step = currentStep.value;
  return useCallback<Paint>(
    (pen, { width, height }, palette) =>
      drawRidges(pen, width, height, { histogram, other, range, step, color: palette.quantity[quantity] }, palette),
    [histogram, other, range, step, quantity],
  );
}

function HistogramTip({ histogram, at }: { readonly histogram: CommonHistogram; readonly at: Step }): JSX.Element {
  const column = nearestColumn(histogram, at);
  return (
    <>
      <b>step {formatCount(at)}</b>
      <div class="dim">{histogram.counted[column] > 0 ? fullest(histogram, column) : "no histogram"}</div>
    </>
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
  const column = step === null ? -1 : nearestColumn(histogram, step);
  return column < 0 || step === null || histogram.counted[column] === 0
    ? ""
    : `At step ${formatCount(step)} most elements, ${fullest(histogram, column)}.`;
}
