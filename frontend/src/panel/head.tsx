/*
 * The head of the panel: which node this is, what was found in it, where it was made, and the ways out (files, link, more room).
 * The one invariant: nothing here is cut off without a tip that holds all of it, and names are text, whatever they contain.
 */

import type { JSX } from "preact";
import { announce } from "../a11y";
import type { History } from "../charts/history";
import { historyCsv } from "../export/csv";
import { download, runFile } from "../export/download";
import { npyBytes } from "../export/npy";
import { formatCount, formatShape, visibleName } from "../format";
import { linkToHere } from "../host";
import { enlarged, toggleEnlarged } from "../shell/layout";
import { findings, quantity, run, step } from "../state";
import { findingId, goToFinding } from "../steps/jumps";
import { wholeShape } from "../tensor/facts";
import type { Finding, GraphNode, Source } from "../types";
import { IconButton, TextButton } from "../widgets/controls";
import { Icon, SeverityIcon, StateGlyph } from "../widgets/icons";
import { useCopy } from "../widgets/prose";
import { lookUpValue } from "./data";
import { rowAt } from "../charts/history";

export function PanelHead({
  node,
  history,
}: {
  readonly node: GraphNode;
  readonly history: History | null;
}): JSX.Element {
  const parts = node.name.split("/");
  const found = (findings.value.data?.findings ?? []).filter((finding) => finding.node === node.name);
  return (
    <div class="panel-head">
      <StateGlyph state={node.state} name={node.state} />
      <h2 class="panel-path" title={node.name}>
        <span class="dim panel-scope">
          <bdi>{parts.slice(0, -1).map((part) => `${visibleName(part)} / `)}</bdi>
        </span>
        <b>
          <bdi>{visibleName(parts.at(-1) ?? "")}</bdi>
        </b>
      </h2>
      {found.map((finding) => (
        <FindingChip key={findingId(finding)} finding={finding} />
      ))}
      <span class="panel-meta ellipsis">
        <span title={factsOf(node)}>{node.class}</span>
        <span>{shapeNow(node, history)}</span>
        {node.source !== null && <SourceLink source={node.source} />}
      </span>
      <span class="grow" />
      {history !== null && <Exports node={node} history={history} />}
      <CopyLink />
      <IconButton
        icon={enlarged.value ? "shrink" : "enlarge"}
        label={enlarged.value ? "Back to split (E)" : "Enlarge panel (E)"}
        onClick={toggleEnlarged}
      />
    </div>
  );
}

/** What is known of the node besides: `units 32, use_bias true`. */
function factsOf(node: GraphNode): string {
  const known = Object.entries(node.attributes).filter(([name]) => name !== "source_text");
  const facts = known.map(([name, value]) => `${name} ${String(value)}`);
  return [...facts, node.activation === null ? "" : `activation ${node.activation}`].filter(Boolean).join(", ");
}

/** Extents at the current step, the batch worked out from the number of elements. */
function shapeNow(node: GraphNode, history: History | null): string {
  const row = history === null || step.value === null ? -1 : rowAt(history, step.value);
  const elements = history === null || row < 0 ? NaN : history.elements[row];
  return formatShape(node.dtype, wholeShape(node, elements));
}

function FindingChip({ finding }: { readonly finding: Finding }): JSX.Element {
  const { severity, title, first_step: first, last_step: last } = finding;
  const when = last === first ? "at" : "since";
  return (
    <button
      type="button"
      class={`chip sev-${severity}`}
      title={`${finding.sentence.replaceAll("`", "")} Go to step ${formatCount(first)}.`}
      onClick={() => goToFinding(finding)}
    >
      <SeverityIcon severity={severity} size={13} name={severity} />
      {title} {when} {formatCount(first)}
    </button>
  );
}

/** File and line; a click copies them, as editors take them. */
export function SourceLink({ source }: { readonly source: Source }): JSX.Element {
  const [outcome, copy] = useCopy();
  const place = `${source.file}:${source.line}`;
  return (
    <TextButton title={`${place}, in ${source.function}. Click to copy.`} onClick={() => copy(place)}>
      {outcome || place.split(/[\\/]/).at(-1)}
    </TextButton>
  );
}

/** The link names the step, also where the page follows the last one: whoever gets it is to see the same. */
function CopyLink(): JSX.Element {
  const [outcome, copy] = useCopy();
  const label = "Copy link to this node and step";
  return (
    <button
      type="button"
      class="btn ghost"
      aria-label={label}
      title={label}
      onClick={() => copy(linkToHere(step.peek() === null ? [] : [["step", String(step.peek())]]))}
    >
      <Icon name="link" /> {outcome}
    </button>
  );
}

function Exports({ node, history }: { readonly node: GraphNode; readonly history: History }): JSX.Element {
  const name = [node.name, quantity.value];
  const saveSample = (): void => {
    void lookUpValue(run.peek(), node.name, step.peek(), quantity.peek()).then(
      (value) => download(runFile([...name, `step ${step.peek()}`], "npy"), npyBytes(value)),
      (error: unknown) => announce(error instanceof Error ? error.message : "The sample can't be read."),
    );
  };
  return (
    <>
      <button type="button" class="btn ghost" title="Download the sample at this step as .npy" onClick={saveSample}>
        <Icon name="download" /> .npy
      </button>
      <button
        type="button"
        class="btn ghost"
        title="Download the statistics of all steps as .csv"
        onClick={() => download(runFile(name, "csv"), historyCsv(history))}
      >
        <Icon name="download" /> .csv
      </button>
    </>
  );
}
