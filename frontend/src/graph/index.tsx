/**
 * The graph view: the model as boxes and arrows, coloured by the values of the chosen step.
 *
 * The one invariant: the same selection as everywhere. A node selected elsewhere comes into view here, with the scopes around it opened; a node selected
 * here is selected everywhere. The node list is the text alternative of this view, and the view says so.
 */

import { effect, untracked } from "@preact/signals";
import type { JSX } from "preact";
import { useEffect, useLayoutEffect, useMemo, useRef, useState } from "preact/hooks";
import { addShortcuts } from "../keys";
import { isCompared } from "../matrix/compare";
import { shading } from "../matrix/coloring";
import { Tip } from "../charts/tip";
import { differences, numbers } from "../nodes/model";
import { findings, graph, node, nodeIndexByName, nodes, quantity, selectNode, statistic, step, theme } from "../state";
import { useArea } from "../widgets/canvas";
import type { Finding } from "../types";
import { IconButton, TextButton } from "../widgets/controls";
import { SeverityIcon } from "../widgets/icons";
import { layoutRequest, measureItems, type Measured } from "./boxes";
import { marksOf } from "./cells";
import { cellOf, openAround, selectedEntry, toggleScope, tree, visibleGraph } from "./data";
import { describeItem, sentenceOf, type DescribedStep } from "./describe";
import { firstItem, isArrow, nextItem } from "./keyboard";
import { LayoutClient } from "./layout/client";
import { measureText } from "./measure";
import { cameraPlace, colorBy, lowRoom, showGradients, showVariables } from "./options";
import { pointerHandlers, minimapHandlers } from "./pointer";
import { isScope, itemOfNode, makeScene, pathOf, type Scene } from "./scene";
import { MARGIN } from "./camera";
import { GraphStage, stageOnPage } from "./stage";
import type { VisibleGraph } from "./visible";
import "./graph.css";

export { GraphToolbar } from "./toolbar";

/** A view lower than this is laid out from left to right. */
const LOW_VIEW = 320;
/** Dragging the splitter over a low view lays it out anew once per so many pixels. */
const ROOM_STEP = 24;
const MOST_FINDINGS = 4;

interface Pending {
  readonly visible: VisibleGraph;
  readonly measured: Measured;
}

function describedStep(): DescribedStep {
  const [values, cells, compared] = [isCompared() ? differences.value : numbers.value, cellOf.value, isCompared()];
  return {
    quantity: quantity.value,
    statistic: statistic.value,
    value: (index) => values?.[index] ?? NaN,
    cell: (index) => cells?.(index) ?? null,
    compared,
  };
}

/** Asks the worker for a layout whenever what is visible changes, and hands the scene to the stage. */
function useLayout(stage: GraphStage | null): string | null {
  const [failure, setFailure] = useState<string | null>(null);
  useEffect(() => {
    if (stage === null) return;
    let pending: Pending | null = null;
    const client = new LayoutClient((answer) => {
      if (pending === null) return;
      const { visible, measured } = pending;
      stage.setScene(makeScene(tree.peek(), nodes.peek(), visible, measured, answer));
      setFailure(null);
    }, setFailure);
    const stop = effect(() => {
      const visible = visibleGraph.value;
      const room = lowRoom.value;
      if (visible.items.length <= 1) return;
      const measured = untracked(() => measureItems(tree.value, nodes.value, visible, measureText));
      pending = { visible, measured };
      client.request(layoutRequest(visible, measured, room > 0 ? "right" : "down", room));
    });
    return () => {
      stop();
      client.dispose();
    };
  }, [stage]);
  return failure;
}

/** Hands the stage what a step, the findings and the options change. */
function useLook(stage: GraphStage | null): void {
  useEffect(() => {
    if (stage === null) return;
    return effect(() => {
      void theme.value;
      const scene = stage.scene.value;
      if (scene === null) return;
      stage.setLook({
        cellOf: cellOf.value,
        map: shading.value?.map ?? "seq",
        byFindings: colorBy.value === "findings",
        marks: marksOf(scene, nodeIndexByName.value, findings.value.data?.findings ?? [], step.value),
        selected: selectedEntry.value === 0 ? -1 : scene.visible.itemOf[selectedEntry.value],
      });
    });
  }, [stage]);
  useEffect(() => {
    if (stage === null) return;
    return effect(() => stage.setGradients(showGradients.value));
  }, [stage]);
  // The theme changes every colour, so both canvases.
  const shownTheme = theme.value;
  useEffect(() => stage?.repaint(), [stage, shownTheme]);
}

/** The node that was chosen when the graph was left. */
let nodeLeft: string | null = null;

/** The camera goes where the address says, and the address follows the user's moves. A node that was chosen elsewhere meanwhile is looked for. */
function useCameraPlace(stage: GraphStage | null): void {
  useEffect(() => {
    if (stage === null) return;
    if (nodeLeft !== null && nodeLeft !== node.peek()) cameraPlace.value = null;
    const follow = effect(() => {
      const wanted = cameraPlace.value;
      if (wanted !== (stage.place.peek() ?? null)) stage.goTo(wanted);
    });
    const tell = effect(() => {
      const seen = stage.place.value;
      if (seen !== undefined) cameraPlace.value = seen;
    });
    return () => {
      follow();
      tell();
      nodeLeft = node.peek();
    };
  }, [stage]);
}

/** A node that was selected, here or elsewhere, is shown. */
function useReveal(stage: GraphStage | null): void {
  useEffect(() => {
    if (stage === null) return;
    let opened: string | null = null;
    const open = effect(() => {
      const name = node.value;
      if (name === null || nodes.value.length === 0 || name === opened) return;
      if (opened !== null) stage.letGo();
      opened = name;
      untracked(() => openAround(name));
    });
    // Once per selection, as soon as its own box is there: later the camera is the user's.
    let shown: string | null = null;
    const show = effect(() => {
      const [scene, entry, name] = [stage.scene.value, selectedEntry.value, node.value];
      if (scene === null || entry <= 0 || name === shown || scene.tree !== tree.value) return;
      const item = scene.visible.itemOf[entry];
      stage.reveal(item);
      if (scene.visible.items[item].entry === entry) shown = name;
    });
    return () => {
      open();
      show();
    };
  }, [stage]);
}

/** What a click or Enter on an item does: a node is selected, a scope that is none opens or closes. */
function activate(stage: GraphStage, scene: Scene, item: number, toggles: boolean): void {
  const { node: index } = scene.texts[item];
  if (isScope(scene, item) && (toggles || index < 0)) {
    stage.keepPlace(item);
    toggleScope(pathOf(scene, item));
  } else if (index >= 0) selectNode(scene.nodes[index].name);
}

function onKeyDown(event: KeyboardEvent, stage: GraphStage): void {
  const scene = stage.scene.peek();
  if (scene === null || event.ctrlKey || event.metaKey || event.altKey) return;
  const at = stage.focused.peek();
  if (isArrow(event.key)) {
    stage.focus(at < 0 ? firstItem(scene) : nextItem(scene, at, event.key));
  } else if (event.key === "Enter" && at > 0) {
    const selected = scene.texts[at].node >= 0 && scene.nodes[scene.texts[at].node].name === node.peek();
    activate(stage, scene, at, selected);
  } else if (event.key === "Escape" && at > 0) {
    const parent = scene.visible.items[at].parent;
    stage.focus(parent > 0 ? parent : -1);
  } else return;
  event.preventDefault();
}

export function GraphView(): JSX.Element {
  const [host, area] = useArea<HTMLDivElement>();
  const lower = useRef<HTMLCanvasElement>(null);
  const upper = useRef<HTMLCanvasElement>(null);
  const minimap = useRef<HTMLCanvasElement>(null);
  const [stage, setStage] = useState<GraphStage | null>(null);
  useLayoutEffect(() => {
    if (lower.current === null || upper.current === null || minimap.current === null) return;
    const made = new GraphStage({ lower: lower.current, upper: upper.current, minimap: minimap.current }, measureText);
    setStage((stageOnPage.value = made));
    return () => {
      stageOnPage.value = null;
      made.dispose();
    };
  }, []);
  // A hidden tab has no area: nothing is laid out for it, and what was stays.
  const hasArea = area.width > 0 && area.height > 0;
  useLayoutEffect(() => {
    if (!hasArea) return;
    lowRoom.value = area.height < LOW_VIEW ? ROOM_STEP * Math.floor(area.height / ROOM_STEP) - 2 * MARGIN : 0;
    stage?.resize(area);
  }, [stage, area]);
  const failure = useLayout(hasArea || stage?.scene.peek() !== null ? stage : null);
  useLook(stage);
  useCameraPlace(stage);
  useReveal(stage);
  useEffect(() => (stage === null ? undefined : addShortcuts(shortcuts(stage))), [stage]);
  const handlers = useMemo(() => (stage === null ? {} : pointerHandlers(stage, activate)), [stage]);
  return (
    <div
      ref={host}
      class="gv"
      tabIndex={0}
      role="application"
      aria-roledescription="graph"
      aria-label="Model graph"
      aria-describedby="graph-help"
      aria-activedescendant={stage !== null && stage.focused.value > 0 ? "graph-item" : undefined}
      onKeyDown={(event) => stage !== null && onKeyDown(event, stage)}
      onBlur={() => stage?.focus(-1)}
      {...handlers}
    >
      <canvas ref={lower} aria-hidden="true" />
      <canvas ref={upper} aria-hidden="true" />
      <p id="graph-help" class="sr">
        The list of nodes holds the same as text. Arrow keys move along edges, Enter selects a node or opens a scope,
        Escape goes to the scope around it.
      </p>
      {stage !== null && <FocusedItem stage={stage} />}
      {stage !== null && <HoverTip stage={stage} />}
      <Corner stage={stage} minimap={minimap} />
      <Notice failure={failure} />
    </div>
  );
}

function shortcuts(stage: GraphStage): Parameters<typeof addShortcuts>[0] {
  return [
    { keys: ["f", "F"], shown: ["F"], does: "Graph: fit, and once more: all of it", run: () => stage.fitOrOverview() },
    { keys: ["+", "="], shown: ["+"], does: "Graph: zoom in", run: () => stage.zoom(1) },
    { keys: ["-"], shown: ["−"], does: "Graph: zoom out", run: () => stage.zoom(-1) },
  ];
}

/** The item the keyboard is at, for a screen reader. */
function FocusedItem({ stage }: { readonly stage: GraphStage }): JSX.Element | null {
  const scene = stage.scene.value;
  const item = stage.focused.value;
  if (scene === null || item <= 0 || item >= scene.boxes.length) return null;
  return (
    <div id="graph-item" class="sr" role="img" aria-label={sentenceOf(describeItem(scene, item, describedStep()))} />
  );
}

/** Findings of everything that an item shows, of its variables and of what a closed scope holds. */
function findingsIn(scene: Scene, item: number): readonly Finding[] {
  const known = findings.value.data?.findings ?? [];
  return known.filter((finding) => itemOfNode(scene, nodeIndexByName.value.get(finding.node) ?? -1) === item);
}

function HoverTip({ stage }: { readonly stage: GraphStage }): JSX.Element | null {
  const scene = stage.scene.value;
  const item = stage.hovered.value;
  if (scene === null || item <= 0 || item >= scene.boxes.length) return null;
  const { scope, name, kind, lines } = describeItem(scene, item, describedStep());
  const found = findingsIn(scene, item);
  return (
    <Tip {...stage.pointer.value}>
      <div class="tip-path">
        <span class="dim">{scope}</span>
        <b>{name}</b> <span class="dim">{kind}</span>
      </div>
      {lines.map((line, index) => (
        <div key={index}>{line}</div>
      ))}
      {found.slice(0, MOST_FINDINGS).map((finding, index) => (
        <div key={index} class={`sev sev-${finding.severity}`}>
          <SeverityIcon severity={finding.severity} /> {finding.title}
        </div>
      ))}
      {found.length > MOST_FINDINGS && <div class="dim">and {found.length - MOST_FINDINGS} more findings</div>}
    </Tip>
  );
}

function Corner({
  stage,
  minimap,
}: {
  readonly stage: GraphStage | null;
  readonly minimap: { current: HTMLCanvasElement | null };
}): JSX.Element {
  const handlers = useMemo(() => (stage === null ? {} : minimapHandlers(stage)), [stage]);
  return (
    <div
      class="graph-corner"
      onPointerDown={(event) => event.stopPropagation()}
      onDblClick={(event) => event.stopPropagation()}
    >
      {quantity.value === "update" && !showVariables.value && (
        <p>
          Only variables have updates.{" "}
          <TextButton onClick={() => (showVariables.value = true)}>Show variables</TextButton>
        </p>
      )}
      <canvas
        ref={minimap}
        class="minimap"
        hidden={stage?.minimapShown.value !== true}
        aria-hidden="true"
        {...handlers}
      />
      <div class="seg">
        <IconButton className="" icon="minus" label="Zoom out (−)" onClick={() => stage?.zoom(-1)} />
        <IconButton className="" icon="plus" label="Zoom in (+)" onClick={() => stage?.zoom(1)} />
        <IconButton className="" icon="fit" label="Fit (F)" onClick={() => stage?.fitOrOverview()} />
      </div>
    </div>
  );
}

function Notice({ failure }: { readonly failure: string | null }): JSX.Element | null {
  if (failure !== null) {
    return <p class="graph-notice">The graph can't be laid out: {failure} The list of nodes holds the same.</p>;
  }
  if (graph.value.data !== null && visibleGraph.value.items.length <= 1)
    return <p class="graph-notice">This run has no node to draw.</p>;
  return null;
}
