/*
 * The page: bars above, the list at the left, views and panel at the right. The one invariant: this file only places parts; each part reads the
 * state itself.
 */

import type { JSX } from "preact";
import { useEffect, useState } from "preact/hooks";
import { GraphToolbar, GraphView } from "./graph";
import { NodeList } from "./nodes";
import { furtherWidth } from "./nodes/columns";
import { Help } from "./shell/help";
import {
  enlarged,
  fit,
  LEAST_LIST,
  LEAST_LOWER,
  LEAST_UPPER,
  listWidth,
  NARROW,
  setListWidth,
  setUpperShare,
  SPLITTER,
  toggleEnlarged,
  upperShare,
} from "./shell/layout";
import { lazy } from "./shell/lazy";
import { Splitter } from "./shell/splitter";
import { tabId, Tabs } from "./shell/tabs";
import { TopBar } from "./shell/top_bar";
import { chosenNode, findings, graph, node, run, runs, setView, summary, view } from "./state";
import type { View } from "./state";
import { Banners } from "./states/banner";
import { Empty, Loading, MissingRun } from "./states/empty";
import { StepStrip } from "./steps";
import { useArea } from "./widgets/canvas";

const panel = lazy(() => import("./views").then((views) => views.NodePanel));
const matrix = lazy(() => import("./views").then((views) => views.MatrixView));
const matrixTools = lazy(() => import("./views").then((views) => views.MatrixToolbar), null);
const findingsView = lazy(() => import("./views").then((views) => views.FindingsView));
const findingsTools = lazy(() => import("./views").then((views) => views.FindingsTools), null);

export function App(): JSX.Element {
  const [page, area] = useArea<HTMLDivElement>();
  useEffect(panel.preload, []);
  const narrow = area.width > 0 && area.width < NARROW;
  const shown = whatToShow();
  return (
    <div ref={page} class={`page ${narrow ? "narrow" : ""}`}>
      <TopBar narrow={narrow} />
      {shown === "dashboard" && <StepStrip narrow={narrow} />}
      {runs.value !== null && <Banners />}
      {shown === "loading" && <Loading />}
      {shown === "empty" && <Empty />}
      {shown === "missing" && <MissingRun />}
      {shown === "dashboard" && (narrow ? <NarrowMain /> : <WideMain width={area.width} />)}
      <Help />
    </div>
  );
}

function whatToShow(): "loading" | "empty" | "missing" | "dashboard" {
  if (runs.value === null) return "loading";
  if (summary.value !== null) return "dashboard";
  return run.value === null || runs.value.length === 0 ? "empty" : "missing";
}

function WideMain({ width }: { readonly width: number }): JSX.Element {
  const most = Math.max(LEAST_LIST, width / 2);
  const further = furtherWidth.value;
  const list = fit(listWidth.value + further, LEAST_LIST, most);
  return (
    <main class="app" style={{ gridTemplateColumns: `${list}px ${SPLITTER}px minmax(0, 1fr)` }}>
      <NodeList narrow={false} />
      <Splitter
        label="Width of the list"
        orientation="vertical"
        size={list}
        least={LEAST_LIST}
        most={most}
        onResize={(size) => setListWidth(size - further)}
      />
      <Right />
    </main>
  );
}

const VIEWS: readonly { readonly value: View; readonly label: string }[] = [
  { value: "graph", label: "Graph" },
  { value: "matrix", label: "Matrix" },
  { value: "findings", label: "Findings" },
];

const PANEL_ID = "upper-view";

function viewTabs(): { value: View; label: string; count?: number }[] {
  const count = findings.value.data?.findings.length;
  return VIEWS.map((each) => (each.value === "findings" ? { ...each, count } : each));
}

function Right(): JSX.Element {
  const [box, area] = useArea<HTMLDivElement>();
  // Height of both parts together, without the bar between them.
  const room = Math.max(0, area.height - SPLITTER);
  const most = Math.max(0, room - LEAST_LOWER);
  const upper = Math.round(fit(upperShare.value * room, LEAST_UPPER, most));
  return (
    <div class="right">
      <Tabs name="View" value={view.value} options={viewTabs()} controls={PANEL_ID} onChange={choose}>
        {enlarged.value ? (
          <button type="button" class="btn" onClick={toggleEnlarged}>
            Back to split
          </button>
        ) : (
          <ViewTools />
        )}
      </Tabs>
      <div
        ref={box}
        class="right-box"
        style={{ gridTemplateRows: enlarged.value ? "0 minmax(0, 1fr)" : `${upper}px ${SPLITTER}px minmax(0, 1fr)` }}
      >
        <UpperView />
        {enlarged.value ? (
          <span />
        ) : (
          <Splitter
            label="Height of the view"
            orientation="horizontal"
            size={upper}
            least={Math.min(LEAST_UPPER, most)}
            most={most}
            onResize={(size) => room > 0 && setUpperShare(size / room)}
          />
        )}
        <LowerPanel />
      </div>
    </div>
  );
}

function choose(chosen: View): void {
  enlarged.value = false;
  setView(chosen);
}

function ViewTools(): JSX.Element | null {
  switch (view.value) {
    case "graph":
      return <GraphToolbar />;
    case "matrix":
      return <matrixTools.View />;
    case "findings":
      return <findingsTools.View />;
  }
}

function UpperView(): JSX.Element {
  return (
    <div id={PANEL_ID} class="upper" role="tabpanel" aria-labelledby={tabId(view.value)} hidden={enlarged.value}>
      {view.value === "graph" && <GraphView />}
      {view.value === "matrix" && <matrix.View />}
      {view.value === "findings" && <findingsView.View />}
    </div>
  );
}

function LowerPanel(): JSX.Element {
  return (
    <section class="lower" data-panel tabIndex={-1} aria-label="Node">
      {chosenNode.value === null ? <NoNode /> : <panel.View />}
    </section>
  );
}

function NoNode(): JSX.Element {
  const missing = node.value !== null && graph.value.data !== null;
  return (
    <p class="no-node">
      {missing ? (
        <>
          This run has no node <bdi>{node.value}</bdi>.
        </>
      ) : (
        "Choose a node in the list, the graph or the matrix to see its values."
      )}
    </p>
  );
}

function NarrowMain(): JSX.Element {
  const [tab, setTab] = useState<View | "nodes">("nodes");
  const [box, area] = useArea<HTMLDivElement>();
  const room = Math.max(0, area.height - SPLITTER);
  const [share, setShare] = useState(1 / 2.35);
  const most = Math.max(0, room - LEAST_LOWER);
  const upper = Math.round(fit(share * room, LEAST_UPPER, most));
  const shown = tab === "nodes" ? tab : view.value;
  const tabs = [{ value: "nodes" as const, label: "Nodes" }, ...viewTabs()];
  return (
    <main class="app">
      <Tabs
        name="View"
        value={shown}
        options={tabs}
        controls={PANEL_ID}
        onChange={(chosen) => {
          setTab(chosen);
          if (chosen !== "nodes") choose(chosen);
        }}
      >
        {shown !== "nodes" && <ViewTools />}
      </Tabs>
      <div ref={box} class="right-box" style={{ gridTemplateRows: `${upper}px ${SPLITTER}px minmax(0, 1fr)` }}>
        {shown === "nodes" ? (
          <div id={PANEL_ID} class="upper" role="tabpanel" aria-labelledby={tabId("nodes")}>
            <NodeList narrow />
          </div>
        ) : (
          <UpperView />
        )}
        <Splitter
          label="Height of the view"
          orientation="horizontal"
          size={upper}
          least={Math.min(LEAST_UPPER, most)}
          most={most}
          onResize={(size) => room > 0 && setShare(size / room)}
        />
        <LowerPanel />
      </div>
    </main>
  );
}
