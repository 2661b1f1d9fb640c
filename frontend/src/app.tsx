/*
 * The page: bars above, the list at the left, views and panel at the right. The one invariant: this file only places parts; each part reads the
 * state itself.
 */

import type { JSX } from "preact";
import { useEffect, useState } from "preact/hooks";
import { GraphToolbar, GraphView } from "./graph";
import { NodeList } from "./nodes";
import { operationsOpen } from "./nodes/operations";
import { furtherWidth } from "./nodes/columns";
import { Help } from "./shell/help";
import {
  enlarged,
  fit,
  LEAST_LIST,
  LEAST_LOWER,
  LEAST_UPPER,
  listWidth,
  nodesShown,
  NARROW,
  setListWidth,
  setUpperShare,
  showView,
  SPLITTER,
  toggleEnlarged,
  upperShare,
} from "./shell/layout";
import { awaitsFindings } from "./shell/first_node";
import { lazy } from "./shell/lazy";
import { Splitter } from "./shell/splitter";
import { tabId, Tabs } from "./shell/tabs";
import { TopBar } from "./shell/top_bar";
import { chosenNode, findings, graph, listing, node, run, runs, summary, view } from "./state";
import type { View } from "./state";
import { Banners } from "./states/banner";
import { Empty, Loading, MissingRun } from "./states/empty";
import { StepStrip } from "./steps";
import { useArea } from "./widgets/canvas";

const panel = lazy(() => import("./views").then((views) => views.NodePanel));
const graphExport = lazy(() => import("./views").then((views) => views.GraphExport), null);
const matrix = lazy(() => import("./views").then((views) => views.MatrixView));
const matrixTools = lazy(() => import("./views").then((views) => views.MatrixToolbar), null);
const findingsView = lazy(() => import("./views").then((views) => views.FindingsView));
const findingsTools = lazy(() => import("./views").then((views) => views.FindingsTools), null);
const operations = lazy(() => import("./views").then((views) => views.OperationsDialog), null);

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
      {shown === "empty" && listing.value !== null && <Empty listing={listing.value} />}
      {shown === "missing" && <MissingRun />}
      {shown === "dashboard" && (narrow ? <NarrowMain /> : <WideMain width={area.width} />)}
      <Help />
      {operationsOpen.value && <operations.View />}
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
/** The view above the panel in a narrow page: 1 : 1.35. */
const NARROW_SHARE = 1 / 2.35;

function viewTabs(): { value: View; label: string; count?: number }[] {
  const count = findings.value.data?.findings.length;
  return VIEWS.map((each) => (each.value === "findings" ? { ...each, count } : each));
}

function Right(): JSX.Element {
  return (
    <div class="right">
      <Tabs name="View" value={view.value} options={viewTabs()} controls={PANEL_ID} onChange={showView}>
        {enlarged.value ? (
          <button type="button" class="btn" onClick={toggleEnlarged}>
            Back to split
          </button>
        ) : (
          <ViewTools />
        )}
      </Tabs>
      <Stack share={upperShare.value} onShare={setUpperShare}>
        <UpperView />
      </Stack>
    </div>
  );
}

/** A view above, the panel below, and a bar between them that moves; or the panel alone while it is enlarged. */
function Stack({
  share,
  onShare,
  children,
}: {
  readonly share: number;
  readonly onShare: (share: number) => void;
  readonly children: JSX.Element;
}): JSX.Element {
  const [box, area] = useArea<HTMLDivElement>();
  // Height of both parts together, without the bar between them.
  const room = Math.max(0, area.height - SPLITTER);
  const most = Math.max(0, room - LEAST_LOWER);
  const upper = Math.round(fit(share * room, LEAST_UPPER, most));
  const rows = enlarged.value ? "minmax(0, 1fr)" : `${upper}px ${SPLITTER}px minmax(0, 1fr)`;
  return (
    <div ref={box} class="right-box" style={{ gridTemplateRows: rows }}>
      {children}
      {!enlarged.value && (
        <Splitter
          label="Height of the view"
          orientation="horizontal"
          size={upper}
          least={Math.min(LEAST_UPPER, most)}
          most={most}
          onResize={(size) => room > 0 && onShare(size / room)}
        />
      )}
      <LowerPanel />
    </div>
  );
}

function ViewTools(): JSX.Element | null {
  switch (view.value) {
    case "graph":
      return (
        <>
          <GraphToolbar />
          <graphExport.View />
        </>
      );
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

/** Also while the node to begin with is looked for, which is that of the first finding. */
function NoNode(): JSX.Element {
  const waits = graph.value.pending || (node.value === null && awaitsFindings());
  return (
    <p class="no-node">
      {waits ? (
        "Loading …"
      ) : (
        <>
          {node.value !== null && (
            <>
              This run has no node <bdi>{node.value}</bdi>.
            </>
          )}{" "}
          Choose a node to see its values.
        </>
      )}
    </p>
  );
}

/** Where there is no room for a list beside the views, it is the first of the tabs. */
function NarrowMain(): JSX.Element {
  const [share, setShare] = useState(NARROW_SHARE);
  return (
    <main class="app">
      <Tabs
        name="View"
        value={nodesShown.value ? "nodes" : view.value}
        options={[{ value: "nodes" as const, label: "Nodes" }, ...viewTabs()]}
        controls={PANEL_ID}
        onChange={(chosen) => {
          if (chosen === "nodes") nodesShown.value = true;
          else showView(chosen);
        }}
      >
        {!nodesShown.value && <ViewTools />}
      </Tabs>
      <Stack share={share} onShare={setShare}>
        {nodesShown.value ? (
          <div id={PANEL_ID} class="upper" role="tabpanel" aria-labelledby={tabId("nodes")} hidden={enlarged.value}>
            <NodeList narrow />
          </div>
        ) : (
          <UpperView />
        )}
      </Stack>
    </main>
  );
}
