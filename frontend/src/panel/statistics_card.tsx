/*
 * Statistics over steps: the chart with its controls, its tip and its table.
 * The one invariant: what the tip and the table say is read from the same history that the lines are drawn from.
 */

import type { JSX } from "preact";
import { useCallback, useRef } from "preact/hooks";
import { historyCsv } from "../export/csv";
import { formatCount } from "../format";
import { step as currentStep, nearestCapture } from "../state";
import { formatStatistic, labelOf } from "../statistics";
import type { Quantity } from "../types";
import { Select } from "../widgets/controls";
import type { Area, Paint } from "../widgets/canvas";
import { axisKinds, chosenStatistics, tables } from "./state";
import { CardHead } from "./card";
import { ChartMenu } from "./export_menu";
import { NumberTable } from "../tensor/number_table";
import { CheckMenu } from "../charts/check_menu";
import { type History, NON_FINITE, nonFiniteMarks, rowAt } from "../charts/history";
import { type AxisKind, choicesOf, lanesOf } from "../charts/lanes";
import type { Plot } from "../charts/plot";
import { gaps, hoverStep, shown, zoom } from "../charts/shared";
import { drawStatistics } from "../charts/statistics_chart";
import type { Compared } from "./data";
import { StepChart } from "./step_chart";

export function StatisticsCard({
  name,
  history,
  quantity,
  pending,
  compared,
}: {
  readonly name: string;
  readonly history: History;
  readonly quantity: Quantity;
  readonly pending: boolean;
  readonly compared?: Compared;
}): JSX.Element {
  const axis = axisKinds.value[quantity];
  const area = useRef<Area>({ width: 0, height: 0 });
  const plots = useRef<readonly Plot[]>([]);
  const base = useBase(history, quantity, axis, compared, plots);
  const at = hoverStep.value ?? currentStep.value;
  const text = at === null ? "" : ` At step ${formatCount(at)}: ${sentence(history, at)}.`;
  return (
    <>
      <CardHead
        title="Statistics over steps"
        mark={compared && <i class="compare-key" />}
        note={note(history, axis, compared)}
        pending={pending}
      >
        {zoom.value !== null && (
          <button
            type="button"
            class="btn"
            title="Show all steps (double click, or 0)"
            onClick={() => (zoom.value = null)}
          >
            {formatCount(zoom.value.first)}–{formatCount(zoom.value.last)} ×
          </button>
        )}
        <CheckMenu
          name="Statistics"
          options={choicesOf(history)}
          chosen={chosenStatistics.value}
          onChange={(chosen) => (chosenStatistics.value = chosen)}
        />
        <Select
          name="Axis of values"
          value={axis}
          options={AXES}
          onChange={(kind) => (axisKinds.value = { ...axisKinds.peek(), [quantity]: kind })}
        />
        <ChartMenu
          name={`${name} ${quantity} statistics`}
          base={base}
          area={area}
          chart="statistics"
          csv={() => historyCsv(history)}
        />
      </CardHead>
      {tables.value.has("statistics") ? (
        <HistoryTable history={history} />
      ) : (
        <StepChart
          label={`Statistics of the ${quantity} over ${formatCount(history.steps.length)} captures.${text}`}
          steps={history.steps}
          base={base}
          area={area}
          plots={plots}
          tip={(at) => <HistoryTip history={history} step={at} compared={compared} />}
        />
      )}
    </>
  );
}

const AXES = ["linear", "log", "symlog"] as const;

function note(history: History, axis: AxisKind, compared: Compared | undefined): string {
  const choices = choicesOf(history);
  if (choices.length === 0) return "no element is finite";
  const finite = nonFiniteMarks(history).length > 0;
  const shownNames = axis === "log" ? [] : choices.filter(({ id }) => chosenStatistics.value.has(id));
  const words = [shownNames.map(({ label }) => label).join(", "), finite ? "of finite elements" : ""]
    .filter(Boolean)
    .join(" · ");
  return compared === undefined ? words : `${compared.run}: ${axis === "log" ? "std" : "mean, ± std"} · ${words}`;
}

function useBase(
  history: History,
  quantity: Quantity,
  axis: AxisKind,
  compare: Compared | undefined,
  plots: { current: readonly Plot[] },
): Paint {
  const range = shown.value;
  const lost = gaps.value;
  const chosen = chosenStatistics.value;
  return useCallback<Paint>(
    (pen, { width, height }, palette) => {
      const lanes = lanesOf(history, chosen, axis, palette);
      const color = palette.quantity[quantity];
      plots.current = drawStatistics(
        pen,
        width,
        height,
        { history, lanes, axis, color, range, gaps: lost, compare },
        palette,
      );
    },
    [history, quantity, axis, compare, chosen, range, lost, plots],
  );
}

function sentence(history: History, step: number): string {
  const row = rowAt(history, step);
  if (row < 0) return "nothing recorded";
  return ["mean", "std", "min", "max"]
    .filter((name) => history.columns.has(name))
    .map((name) => `${name} ${formatStatistic(name, history.columns.get(name)?.[row] ?? NaN)}`)
    .join(", ");
}

function HistoryTip({
  history,
  step,
  compared,
}: {
  readonly history: History;
  readonly step: number;
  readonly compared?: Compared;
}): JSX.Element {
  const row = rowAt(history, step);
  const other = compared === undefined ? -1 : nearestCapture(compared.history.steps, step);
  return (
    <>
      <b>step {formatCount(step)}</b>
      {row < 0 && <div>nothing recorded</div>}
      {row >= 0 &&
        chosenColumns(history).map((name) => (
          <div key={name} class="tip-row">
            <span class="dim">{labelOf(name)}</span>
            <span>{formatStatistic(name, history.columns.get(name)?.[row] ?? NaN)}</span>
            {other >= 0 && (
              <span class="dim">{formatStatistic(name, compared?.history.columns.get(name)?.[other] ?? NaN)}</span>
            )}
          </div>
        ))}
      {row >= 0 && history.nan[row] > 0 && <div class="bad">{formatCount(history.nan[row])} NaN</div>}
    </>
  );
}

/** The columns behind what the chart shows; all that bands are made of. */
function chosenColumns(history: History): string[] {
  const chosen = choicesOf(history).filter(({ id }) => chosenStatistics.value.has(id));
  return [...new Set(chosen.flatMap(({ columns }) => columns))];
}

/** The text alternative of the chart: one row per capture. */
function HistoryTable({ history }: { readonly history: History }): JSX.Element {
  const names = [...history.columns.keys()];
  const counts = [["elements", "elements"] as const, ...NON_FINITE];
  return (
    <NumberTable
      label="Statistics by step"
      rows={history.steps.length}
      columns={names.length + counts.length}
      corner="step"
      rowHead={(row) => formatCount(history.steps[row])}
      columnHead={(column) => (column < names.length ? labelOf(names[column]) : counts[column - names.length][0])}
      cell={(row, column) =>
        column < names.length
          ? (history.columns.get(names[column])?.[row] ?? NaN)
          : history[counts[column - names.length][1]][row]
      }
      chosenRow={currentStep.value === null ? -1 : rowAt(history, currentStep.value)}
    />
  );
}
