/*
 * The value of one quantity at the current step, in the view that suits it.
 *
 * The one invariant: the heading names the step that the picture shows. While another step is on the way the old picture stays, with its own
 * step in the heading.
 */

import type { JSX } from "preact";
import { useEffect, useMemo, useRef } from "preact/hooks";
import { formatCount, formatFull, formatNumber } from "../format";
import type { Answer } from "../resource";
import { compareRun, run, nearestCapture } from "../state";
import { kindsOf, type ViewKind } from "../tensor/arrangement";
import { countNonFinite } from "../tensor/plane";
import { CopyTable, NumberTable } from "../tensor/number_table";
import type { GraphNode, Quantity, Value } from "../types";
import type { Step } from "../units";
import type { Area, Paint } from "../widgets/canvas";
import { Prose } from "../widgets/prose";
import { AttentionRows } from "./attention_rows";
import { arrangements, held } from "./axes";
import { BarsPicture } from "./bars_picture";
import { CardHead, CardMessage, NO_ELEMENTS } from "./card";
import { type Compared, type SeriesAnswer, useValue, type ValueKey, valueKey } from "./data";
import { Foot } from "./foot";
import { HeatPicture } from "./heat_picture";
import { InputThumb } from "./input_thumb";
import { otherSide } from "./other_side";
import { planeTable } from "./plane_table";
import { coloringWords, commonColoring, type Scene, sceneOf, type SceneRequest, type Side } from "./scene";
import { chosenTile, example, exampleCount, extents, minus, squareRoot, wantedView } from "./state";
import { type Drawn, TilesPicture } from "./tiles_picture";
import { ViewerTools } from "./viewer_tools";

export interface ViewerProps {
  readonly node: GraphNode;
  readonly quantity: Quantity;
  readonly step: Step;
  readonly series: SeriesAnswer;
  readonly compared?: Compared;
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
  const side = otherSide(node.name, quantity, step, steps);
  const other = useValue(sampled ? side.key : null);
  const [scene, second] = useScenes(props, answer, other);
  const settled = answer.data !== null;
  useEffect(() => {
    if (settled && scene !== undefined) exampleCount.value = scene.subject.batched ? scene.value.shape[0] : 0;
  }, [settled, scene]);
  const none = other.data === null ? (other.error?.message ?? side.reason) : "";
  // What nothing can stand beside stays in sight, alone.
  const waits = minus.value !== "nothing" && other.data === null && (minus.value !== "beside" || none === "");
  if (answer.data === null || scene === undefined || waits) {
    const missing = answer.data === null;
    const words = missing
      ? sampled
        ? answer.error?.message
        : NO_SAMPLE
      : waits
        ? none
        : answer.data.data.length === 0
          ? NO_ELEMENTS
          : "Their shapes differ.";
    return (
      <>
        <CardHead
          title={`${TITLES[quantity]} at step ${formatCount(step)}`}
          pending={(missing ? answer : other).pending}
        >
          {!missing && <ViewerTools.Minus />}
        </CardHead>
        <CardMessage>
          <Prose text={words ?? ""} />
        </CardMessage>
      </>
    );
  }
  return (
    <SceneCard
      {...props}
      scene={scene}
      second={second}
      alone={none}
      pending={answer.pending}
      minusStep={other.key?.step ?? null}
    />
  );
}

/** The captures before and after, to be fetched ahead. */
function neighbours(steps: Float64Array | null, step: Step): Step[] {
  if (steps === null || steps.length === 0) return [];
  const at = nearestCapture(steps, step);
  return [steps[at + 1], steps[at - 1], steps[at + 2]].filter((each) => each !== undefined);
}

/** The scene of the value, and that of what stands beside it, if anything does. */
function useScenes(
  { node, quantity, step, series, compared, view }: ViewerProps,
  { data: value, key }: Answer<ValueKey, Value>,
  { data: other, key: otherKey }: Answer<ValueKey, Value>,
): readonly [Scene | undefined, Scene | undefined] {
  const chosen = minus.value;
  const choices = {
    node,
    quantity,
    wanted: view ?? wantedView.value,
    arrangements: arrangements.value,
    index: held.value,
    example: example.value,
    tile: chosenTile.value ?? 0,
    extent: extents.value[quantity],
    squareRoot: squareRoot.value,
    subtrahend: chosen === "nothing" || chosen === "beside" ? null : other,
  };
  const own = useSide(value, series);
  const theirs = useSide(chosen === "beside" ? other : null, compareRun.value === null ? series : compared);
  const scene = useScene({ ...choices, side: own, beside: theirs, step: key?.step ?? step });
  const second = useScene({ ...choices, side: theirs, beside: own, step: otherKey?.step ?? step });
  return [scene, second];
}

function useSide(value: Value | null, series: Pick<SeriesAnswer, "history" | "histogram"> | undefined): Side | null {
  const { history = null, histogram = null } = series ?? {};
  return useMemo(() => value && { value, history, histogram }, [value, history, histogram]);
}

function useScene({
  side,
  ...choices
}: Omit<SceneRequest, keyof Side> & { readonly side: Side | null }): Scene | undefined {
  return useMemo(() => side && sceneOf({ ...choices, ...side }), [side, ...Object.values(choices)]) ?? undefined;
}

function SceneCard({
  scene,
  second,
  alone,
  large,
  roomy,
  pending,
  minusStep,
  view,
}: ViewerProps & {
  readonly scene: Scene;
  readonly second?: Scene;
  /** Why nothing stands beside it; empty where something does, or should not. */
  readonly alone: string;
  readonly pending: boolean;
  readonly minusStep: Step | null;
}): JSX.Element {
  const drawn = [useDrawn(), useDrawn()];
  const rest = { large, view };
  return (
    <>
      <CardHead
        title={view === undefined ? title(scene, second, minusStep) : partTitle(scene, view)}
        note={[alone, noteOf(scene)].filter(Boolean).join(" · ")}
        pending={pending}
      >
        <ViewerTools
          scene={scene}
          kinds={view === undefined ? kindsOf(scene.subject) : []}
          large={roomy}
          drawn={second === undefined ? drawn.slice(0, 1) : drawn}
        />
        {scene.kind === "table" && second === undefined && <CopyTable table={planeTable(scene)} />}
      </CardHead>
      {second === undefined ? (
        <SceneView scene={scene} {...rest} {...drawn[0]} />
      ) : (
        <div class="pair fill">
          {[scene, second].map((each, side) => (
            <figure key={side}>
              <figcaption>
                <b>{side === 0 ? run.value : (compareRun.value ?? run.value)}</b> step {formatCount(each.step)}{" "}
                {each.kind === "table" && <CopyTable table={planeTable(each)} />}
              </figcaption>
              <SceneView scene={each} alone={false} {...rest} {...drawn[side]} />
            </figure>
          ))}
        </div>
      )}
    </>
  );
}

/** What a picture has drawn, and where, to be saved as a file. */
function useDrawn(): Drawn {
  return { areaRef: useRef<Area>({ width: 0, height: 0 }), baseRef: useRef<Paint | null>(null) };
}

function SceneView({
  scene,
  large,
  view,
  alone = true,
  ...drawn
}: Drawn & {
  readonly scene: Scene;
  readonly large: boolean;
  readonly view?: ViewKind;
  /** Nothing stands beside it. */
  readonly alone?: boolean;
}): JSX.Element {
  const nonFinite = useMemo(() => countNonFinite(scene.tensor.data), [scene.tensor]);
  return (
    <>
      {(scene.kind === "images" || scene.kind === "attention") && (
        <div class="with-input fill">
          {alone && <InputThumb scene={scene} />}
          <TilesPicture scene={scene} {...drawn} />
        </div>
      )}
      {scene.kind === "heat" && <HeatPicture scene={scene} {...drawn} />}
      {scene.kind === "bars" && <BarsPicture scene={scene} {...drawn} />}
      {scene.kind === "table" && <NumberTable {...planeTable(scene)} />}
      {scene.kind === "number" && <TheNumber value={scene.tensor.data[0]} />}
      {scene.kind === "attention" && large && <AttentionRows scene={scene} />}
      {view !== "bars" && view !== "table" && <Foot scene={scene} nonFinite={nonFinite} />}
    </>
  );
}

function noteOf(scene: Scene): string {
  if (scene.kind === "table" || scene.kind === "bars" || scene.kind === "number") return "";
  const colors = coloringWords(scene, commonColoring(scene));
  const { row, column } = scene.arrangement;
  if (scene.kind === "images" || row === null || column === null) return colors;
  const [down, across] = [scene.names[row], scene.names[column]];
  return down === "row" && across === "column" ? colors : `rows = ${down}, columns = ${across} · ${colors}`;
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

function title(scene: Scene, second: Scene | undefined, minusStep: Step | null): string {
  const word = scene.kind === "attention" && scene.quantity === "value" ? "Attention" : TITLES[scene.quantity];
  if (second !== undefined) return `${word}, two ${compareRun.value === null ? "steps" : "runs"}`;
  const at = `${word} at step ${formatCount(scene.step)}`;
  if (!scene.isDifference || minusStep === null) return at;
  const other = minus.value === "compared" && compareRun.value !== null ? `${compareRun.value} at step` : "step";
  return `${at} minus ${other} ${formatCount(minusStep)}`;
}
