/*
 * Why there is no value, what to do about it, and what can be seen instead.
 * The one invariant: the words are those of the server, which has them from the one list of reasons; here they are only set.
 */

import type { JSX } from "preact";
import { visibleName } from "../format";
import { graph, nodes, selectNode } from "../state";
import { primaryReason } from "../statistics";
import type { GraphNode, Quantity, QuantityState } from "../types";
import { NAME, QUANTITIES } from "../types";
import { TextButton } from "../widgets/controls";
import { StateGlyph } from "../widgets/icons";
import { CodeBlock, Prose } from "../widgets/prose";
import { SourceLink } from "./head";

/** The whole panel of a node that has no value at any step. */
export function ReasonPanel({ node }: { readonly node: GraphNode }): JSX.Element {
  const reason = primaryReason(node);
  return (
    <div class="reason">
      <div>
        {reason !== undefined && <Reason name={node.name} reason={reason} />}
        <OtherReasons node={node} spoken={reason?.reason ?? null} />
      </div>
      <aside>
        {node.source !== null && (
          <section>
            <h3>Made at</h3>
            <p>
              <SourceLink source={node.source} /> <span class="dim">in</span> <code>{node.source.function}</code>
            </p>
            <SourceText text={node.attributes.source_text} line={node.source.line} />
          </section>
        )}
        <Neighbours node={node} />
        <Recorded reason={reason?.reason ?? null} />
      </aside>
    </div>
  );
}

/** Lines of the user's source, each with its number, where the run holds them. */
function SourceText({ text, line }: { readonly text: unknown; readonly line: number }): JSX.Element | null {
  if (typeof text !== "string" || text === "") return null;
  return <CodeBlock code={text} here={text.split("\n").findIndex((each) => Number.parseInt(each, 10) === line)} />;
}

/** The place of one quantity that a node doesn't have, while others are there. */
export function QuantityReason({
  node,
  quantity,
}: {
  readonly node: GraphNode;
  readonly quantity: Quantity;
}): JSX.Element {
  const reason = node.quantities[quantity];
  return (
    <div class="reason one">
      {reason === undefined ? (
        <p>This node has no {quantity}.</p>
      ) : (
        <Reason name={node.name} reason={reason} quantity={quantity} />
      )}
    </div>
  );
}

function Reason({
  name,
  reason,
  quantity,
}: {
  readonly name: string;
  readonly reason: QuantityState;
  readonly quantity?: Quantity;
}): JSX.Element {
  const [sentence, remedy, code] = [reason.sentence, reason.remedy, reason.code].map(
    (text) => text?.split(NAME).join(name) ?? "",
  );
  const state = reason.state === "available" ? "Available" : "Unreachable";
  return (
    <section>
      <h2>
        <StateGlyph state={reason.state} large />
        {quantity === undefined ? state : `No ${quantity}`}: {reason.title ?? reason.reason}
      </h2>
      {sentence !== "" && (
        <p>
          <Prose text={sentence} />
        </p>
      )}
      {remedy !== "" && (
        <>
          <h3>What to do</h3>
          <p>
            <Prose text={remedy} />
          </p>
        </>
      )}
      {code !== "" && <CodeBlock code={code} />}
    </section>
  );
}

function OtherReasons({
  node,
  spoken,
}: {
  readonly node: GraphNode;
  readonly spoken: string | null;
}): JSX.Element | null {
  const others = QUANTITIES.filter((each) => {
    const reason = node.quantities[each]?.reason;
    return reason !== undefined && reason !== null && reason !== spoken;
  });
  if (others.length === 0) return null;
  return (
    <section>
      <h3>Also not there</h3>
      <ul class="plain">
        {others.map((each) => (
          <li key={each}>
            <span class="dim">{each}:</span> {node.quantities[each]?.title}
          </li>
        ))}
      </ul>
    </section>
  );
}

const MOST_NEIGHBOURS = 6;

/** What this node reads and what reads it, as far as it has values. */
function Neighbours({ node }: { readonly node: GraphNode }): JSX.Element | null {
  const all = nodes.value;
  const self = all.indexOf(node);
  const near = [
    ...node.inputs.map((index) => [all[index], "its input"] as const),
    ...all.filter((each) => each.inputs.includes(self)).map((each) => [each, "reads its output"] as const),
    ...all.filter((each) => each.name.startsWith(`${node.name}/`)).map((each) => [each, "inside it"] as const),
  ].filter(([each]) => each?.state === "materialized");
  if (near.length === 0) return null;
  return (
    <section>
      <h3>What you can see of it now</h3>
      <ul class="plain">
        {near.slice(0, MOST_NEIGHBOURS).map(([each, words]) => (
          <li key={`${each.name} ${words}`}>
            <StateGlyph state="materialized" />
            <TextButton onClick={() => selectNode(each.name)}>{visibleName(each.name)}</TextButton>
            <span class="dim">{words}</span>
          </li>
        ))}
      </ul>
    </section>
  );
}

function Recorded({ reason }: { readonly reason: string | null }): JSX.Element {
  const versions = Object.entries(graph.value.data?.versions ?? {});
  return (
    <section>
      <h3>Recorded with</h3>
      <p class="dim small">{versions.map(([name, number]) => `${name} ${number}`).join(" · ")}</p>
      {reason !== null && (
        <p class="dim small">
          reason code <code>{reason}</code>
        </p>
      )}
    </section>
  );
}
