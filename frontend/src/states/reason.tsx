/*
 * Why a node has no value: the case, what to do, code to paste, and where in the user's source the node was made. The one invariant: every
 * word comes from the run's reasons; nothing is guessed here.
 */

import "./states.css";
import type { JSX } from "preact";
import { graph, nodes, selectNode } from "../state";
import { primaryReason } from "../statistics";
import { QUANTITIES } from "../types";
import type { GraphNode, QuantityState } from "../types";
import { TextButton } from "../widgets/controls";
import { StateGlyph } from "../widgets/icons";
import { CodeBlock, Prose } from "../widgets/prose";

const STATE_TITLE = { materialized: "Recorded", available: "Available", unreachable: "Unreachable" } as const;

export function ReasonPanel({ node }: { readonly node: GraphNode }): JSX.Element {
  const reason = primaryReason(node);
  return (
    <div class="why-p" tabIndex={0} role="region" aria-label={`Why ${node.name} has no value`}>
      <div>
        <h2>
          <StateGlyph state={node.state} size={16} />
          {STATE_TITLE[node.state]}: {reason?.title ?? "no reason was recorded"}
        </h2>
        {reason !== undefined && <ReasonText reason={reason} />}
        <Others node={node} shown={reason} />
      </div>
      <div>
        <Made node={node} />
        <Neighbours node={node} />
        <RecordedWith reason={reason?.reason ?? null} />
      </div>
    </div>
  );
}

/** The sentence, the remedy and the code of one quantity. */
export function ReasonText({ reason }: { readonly reason: QuantityState }): JSX.Element {
  return (
    <>
      <p>
        <Prose text={reason.sentence ?? ""} />
      </p>
      {(reason.remedy ?? "") !== "" && (
        <>
          <h3>What to do</h3>
          <p>
            <Prose text={reason.remedy ?? ""} />
          </p>
        </>
      )}
      {(reason.code ?? "") !== "" && <CodeBlock code={reason.code ?? ""} />}
    </>
  );
}

/** Reasons of further quantities, where they say something else. */
function Others({ node, shown }: { readonly node: GraphNode; readonly shown: QuantityState | undefined }): JSX.Element {
  const others = QUANTITIES.filter((quantity) => {
    const state = node.quantities[quantity];
    const reason = state?.reason ?? null;
    return reason !== null && reason !== shown?.reason && reason !== "no_update";
  });
  return (
    <>
      {others.map((quantity) => (
        <section key={quantity}>
          <h3>
            {STATE_TITLE[node.quantities[quantity]?.state ?? "unreachable"]} {quantity}:{" "}
            {node.quantities[quantity]?.title}
          </h3>
          <p>
            <Prose text={node.quantities[quantity]?.sentence ?? ""} />
          </p>
        </section>
      ))}
    </>
  );
}

function Made({ node }: { readonly node: GraphNode }): JSX.Element | null {
  const { source } = node;
  if (source === null) return null;
  return (
    <section>
      <h3>
        Made at {baseName(source.file)}:{source.line}
      </h3>
      <p class="small">
        <code>{source.file}</code>, line {source.line}, in <code>{source.function}</code>
      </p>
    </section>
  );
}

function baseName(file: string): string {
  return file.split(/[/\\]/).at(-1) ?? file;
}

const MOST_NEIGHBOURS = 8;

/** What can be seen of it now: its own parts, what it reads and what reads it, as far as they are recorded. */
function Neighbours({ node }: { readonly node: GraphNode }): JSX.Element | null {
  const all = nodes.value;
  const index = all.indexOf(node);
  const recorded = (each: GraphNode | undefined): each is GraphNode => each?.state === "materialized";
  const parts = all.filter((each) => each.name.startsWith(`${node.name}/`)).filter(recorded);
  const above = all.filter((each) => node.name.startsWith(`${each.name}/`)).filter(recorded);
  const inputs = node.inputs.map((input) => all[input]).filter(recorded);
  const readers = all.filter((each) => each.inputs.includes(index)).filter(recorded);
  const entries = [
    ...above.map((each) => [each, "contains it"] as const),
    ...parts.map((each) => [each, "belongs to it"] as const),
    ...inputs.map((each) => [each, "its input"] as const),
    ...readers.map((each) => [each, "reads its output"] as const),
  ].slice(0, MOST_NEIGHBOURS);
  if (entries.length === 0) return null;
  return (
    <section>
      <h3>What you can see now</h3>
      <ul class="plain">
        {entries.map(([each, word]) => (
          <li key={`${each.name} ${word}`}>
            <StateGlyph state={each.state} />
            <TextButton onClick={() => selectNode(each.name)}>
              <bdi>{each.name}</bdi>
            </TextButton>
            <span class="dim">{word}</span>
          </li>
        ))}
      </ul>
    </section>
  );
}

function RecordedWith({ reason }: { readonly reason: string | null }): JSX.Element {
  const versions = Object.entries(graph.value.data?.versions ?? {});
  return (
    <section>
      <h3>Recorded with</h3>
      <p class="small">
        {versions.map(([name, version]) => `${name} ${version}`).join(" · ")}
        {reason !== null && (
          <>
            <br />
            reason code <code>{reason}</code>
          </>
        )}
      </p>
    </section>
  );
}
