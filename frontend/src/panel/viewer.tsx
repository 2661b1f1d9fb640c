/*
 * The value of one quantity at the current step, in the view that suits it.
 *
 * The one invariant: the heading names the step that the picture shows. While another step is on the way the old picture stays, with its own
 * step in the heading.
 */

import type { JSX } from "preact";
import { useCallback, useEffect, useMemo, useRef, useState } from "preact/hooks";
import type { History } from "../charts/history";
import { formatCount, formatFull, formatNumber } from "../format";
import { comparedStep, compareRun, run, nearestCapture } from "../state";
import { type Arrangement, kindsOf, type ViewKind } from "../tensor/arrangement";
import { countNonFinite } from "../tensor/plane";
import { CopyTable, NumberTable } from "../tensor/number_table";
import type { GraphNode, Histogram, Quantity } from "../types";
import type { Step } from "../units";
import type { Area, Paint } from "../widgets/canvas";
import { Prose } from "../widgets/prose";
import { AttentionRows } from "./attention_rows";
import { BarsPicture, type Sorting } from "./bars_picture";
import { CardHead, CardMessage } from "./card";
import { useValue, valueKey } from "./data";
import { Foot } from "./foot";
import { HeatPicture } from "./heat_picture";
import { InputThumb } from "./input_thumb";
import { planeTable } from "./plane_table";
import { coloringWords, commonColoring, type Scene, sceneOf } from "./scene";
import { example, exampleCount, extents, minus, squareRoot, wantedView } from "./state";
import { TilesPicture } from "./tiles_picture";
import { type Adjust, ViewerTools } from "./viewer_tools";

export interface Series {
  readonly history: History | null;
  readonly histogram: Histogram | null;
}

export interface ViewerProps {
  readonly node: GraphNode;
  readonly quantity: Quantity;
  readonly step: Step;
  readonly series: Series;
  /** Has room for what belongs below the picture. */
  readonly large: boolean;
  /** Has room for all tools in the head. */
  readonly roomy: boolean;
  /** Shows this view whatever was chosen: for a second picture of the same value. */
  readonly view?: ViewKind;
}

const NO_SAMPLE = 'This run holds no raw numbers of this node. They are recorded unless `samples` is "none".';

const TITLES: Readonly<Record<Quantity, string>> = { value: "Value", gradient: "Gradient", update: "Update" };

export function Viewer(props: ViewerProps): JSX.Element {
  const { node, quantity, step, series } = props;
  const steps = series.history?.steps ?? null;
  // Where no raw numbers were kept, none are asked for.
  const sampled = node.quantities[quantity]?.sampled === true;
  const answer = useValue(sampled ? valueKey(run.value, node.name, step, quantity) : null, neighbours(steps, step));
  const other = useValue(sampled ? subtrahendKey(node.name, quantity, step, steps) : null);
  const [scene, adjust] = useScene(props, answer.data, answer.key?.step ?? step, other.data);
  const settled = answer.data !== null;
  useEffect(() => {
    if (settled && scene !== undefined) exampleCount.value = scene.subject.batched ? scene.value.shape[0] : 0;
  }, [settled, scene]);
  if (answer.data === null) {
    return (
      <>
        <CardHead title={`${TITLES[quantity]} at step ${formatCount(step)}`} pending={answer.pending} />
        <CardMessage>{sampled ? (answer.error?.message ?? "") : <Prose text={NO_SAMPLE} />}</CardMessage>
      </>
    );
  }
  const waits = minus.value !== "nothing" && other.data === null;
  if (scene === undefined || waits) {
    const words = waits
      ? (other.error?.message ?? "")
      : "The two tensors have different shapes, so there is no difference of their elements.";
    return (
      <>
        <CardHead title={`${TITLES[quantity]} at step ${formatCount(step)}`} pending={waits && other.error === null}>
          <ViewerTools.Minus />
        </CardHead>
        <CardMessage>{words}</CardMessage>
      </>
    );
  }
  return (
    <SceneCard {...props} scene={scene} adjust={adjust} pending={answer.pending} minusStep={other.key?.step ?? null} />
  );
}

/** The captures before and after, to be fetched ahead. */
function neighbours(steps: Float64Array | null, step: Step): Step[] {
  if (steps === null || steps.length === 0) return [];
  const at = nearestCapture(steps, step);
  return [steps[at + 1], steps[at - 1], steps[at + 2]].filter((each) => each !== undefined);
}

function subtrahendKey(
  node: string,
  quantity: Quantity,
  step: Step,
  steps: Float64Array | null,
): ReturnType<typeof valueKey> {
  const chosen = minus.value;
  if (chosen === "nothing" || steps === null || steps.length === 0) return null;
  if (chosen === "compared") return valueKey(compareRun.value ?? run.value, node, comparedStep.value, quantity);
  const at = nearestCapture(steps, step);
  return valueKey(run.value, node, chosen === "first" ? steps[0] : steps[Math.max(0, at - 1)], quantity);
}

function useScene(
  { node, quantity, series, view }: ViewerProps,
  value: Parameters<typeof sceneOf>[0]["value"] | null,
  step: Step,
  subtrahend: Parameters<typeof sceneOf>[0]["subtrahend"],
): readonly [Scene | undefined, Adjust] {
  const { history, histogram } = series;
  const wanted = view ?? wantedView.value;
  const [shown, extent, root] = [example.value, extents.value[quantity], squareRoot.value];
  const [layout, setLayout] = useState<{ id: string; arrangement: Arrangement | null; index: readonly number[] }>(
    FRESH,
  );
  const id = `${node.name} ${quantity} ${wanted ?? ""}`;
  const { arrangement, index } = layout.id === id ? layout : FRESH;
  const difference = minus.value === "nothing" ? null : subtrahend;
  const scene = useMemo(
    () =>
      value === null
        ? undefined
        : sceneOf({
            node,
            quantity,
            step,
            value,
            subtrahend: difference,
            wanted,
            arrangement,
            index,
            example: shown,
            extent,
            squareRoot: root,
            history,
            histogram,
          }),
    [node, quantity, step, value, difference, wanted, arrangement, index, shown, extent, root, history, histogram],
  );
  const adjust = useCallback<Adjust>(
    (next) => setLayout({ id, arrangement, index, ...next }),
    [id, arrangement, index],
  );
  return [scene, adjust];
}

const FRESH = { id: "", arrangement: null, index: [] };

function SceneCard({
  scene,
  large,
  roomy,
  pending,
  minusStep,
  view,
  adjust,
}: ViewerProps & {
  readonly scene: Scene;
  readonly adjust: Adjust;
  readonly pending: boolean;
  readonly minusStep: Step | null;
}): JSX.Element {
  const [sorting, setSorting] = useState<Sorting>("index");
  const areaRef = useRef<Area>({ width: 0, height: 0 });
  const baseRef = useRef<Paint | null>(null);
  const nonFinite = useMemo(() => countNonFinite(scene.tensor.data), [scene.tensor]);
  const note = noteOf(scene);
  const exporting = { areaRef, baseRef };
  const table = planeTable(scene);
  return (
    <>
      <CardHead
        title={view === undefined ? title(scene, minusStep) : partTitle(scene, view)}
        note={note}
        pending={pending}
      >
        <ViewerTools
          scene={scene}
          adjust={adjust}
          kinds={view === undefined ? kindsOf(scene.subject) : []}
          large={roomy}
          sorting={sorting}
          onSort={setSorting}
          {...exporting}
        />
        {scene.kind === "table" && <CopyTable table={table} />}
      </CardHead>
      {(scene.kind === "images" || scene.kind === "attention") && (
        <div class="with-input fill">
          <InputThumb scene={scene} />
          <TilesPicture scene={scene} {...exporting} />
        </div>
      )}
      {scene.kind === "heat" && <HeatPicture scene={scene} {...exporting} />}
      {scene.kind === "bars" && <BarsPicture scene={scene} sorting={sorting} {...exporting} />}
      {scene.kind === "table" && <NumberTable {...table} />}
      {scene.kind === "number" && <TheNumber value={scene.tensor.data[0]} />}
      {scene.kind === "attention" && large && <AttentionRows scene={scene} />}
      {view !== "bars" && view !== "table" && <Foot scene={scene} nonFinite={nonFinite} />}
    </>
  );
}

function noteOf(scene: Scene): string {
  if (scene.kind === "table" || scene.kind === "bars" || scene.kind === "number") return "";
  const colors = coloringWords(scene, commonColoring(scene));
  return scene.kind === "attention" ? `rows = query, columns = key · ${colors}` : colors;
}

/** A scalar, large enough to be read across the room while training runs. */
function TheNumber({ value }: { readonly value: number }): JSX.Element {
  return (
    <div class="the-number fill">
      <b>{formatNumber(value, 4)}</b>
      <span class="dim">{formatFull(value)}</span>
    </div>
  );
}

/** Where several views of the same value stand side by side, each says what it adds. */
function partTitle(scene: Scene, view: ViewKind): string {
  if (view === "bars") return `Example ${formatCount(scene.index[0] + 1)}, all units`;
  return view === "heat" ? "Examples × units" : "Numbers";
}

function title(scene: Scene, minusStep: Step | null): string {
  const word = scene.kind === "attention" && scene.quantity === "value" ? "Attention" : TITLES[scene.quantity];
  const at = `${word} at step ${formatCount(scene.step)}`;
  if (!scene.isDifference || minusStep === null) return at;
  const other = minus.value === "compared" && compareRun.value !== null ? `${compareRun.value} at step` : "step";
  return `${at} minus ${other} ${formatCount(minusStep)}`;
}
