/*
 * One row of the node list. The one invariant: a node without numbers says why in the place where the numbers would be.
 */

import type { JSX } from "preact";
import { Fragment } from "preact";
import { formatCount, formatNumber, formatShape, MISSING } from "../format";
import type { Column } from "./columns";
import { bySeverity, findingsByNode } from "./filter";
import { differences, numbersOf, numbers } from "./model";
import type { Row } from "./tree";
import { graph, nodes, quantity, snapshot, statistic } from "../state";
import { formatStatistic, isScalarFor, labelOf, nonfiniteOf, primaryReason, reasonOf, scalarOf } from "../statistics";
import type { GraphNode, Kind } from "../types";
import type { CssPixels } from "../units";
import { SeverityIcon, StateGlyph } from "../widgets/icons";

/** Kinds that aren't plain from the name and the place of a node. */
const KIND_WORD: Readonly<Partial<Record<Kind, string>>> = { variable: "var", op: "op", probe: "probe" };

/** Indentation per level. */
const GUIDE_WIDTH: CssPixels = 15;

export interface RowProps {
  readonly row: Row;
  readonly position: number;
  readonly columns: readonly Column[];
  readonly active: boolean;
  readonly selected: boolean;
}

export const rowId = (path: string): string => `node:${path}`;

export function NodeRow({ row, position, columns, active, selected }: RowProps): JSX.Element {
  const { item } = row;
  const node = nodes.value[item.index];
  const classes = [
    "row",
    selected && "on",
    active && "active",
    node === undefined && "scope",
    row.context && "context",
  ];
  return (
    <div
      id={rowId(item.path)}
      class={classes.filter(Boolean).join(" ")}
      role="row"
      data-path={item.path}
      aria-rowindex={position + 1}
      aria-level={item.depth + 1}
      aria-expanded={item.children.length > 0 ? row.open : undefined}
      aria-selected={selected}
    >
      <NameCell row={row} node={node} />
      {node === undefined ? (
        <ScopeCells row={row} columns={columns} />
      ) : node.state === "materialized" ? (
        columns.map((column) => <Cell key={column.id} column={column} node={node} index={item.index} />)
      ) : (
        <ReasonCell node={node} />
      )}
    </div>
  );
}

/** Arrow and glyph are drawn by the style sheet. */
function NameCell({ row, node }: { readonly row: Row; readonly node: GraphNode | undefined }): JSX.Element {
  const { item } = row;
  const kind = node === undefined ? undefined : KIND_WORD[node.kind];
  return (
    <div class="nm" role="rowheader" title={item.path}>
      {item.depth > 0 && <i class="guides" style={{ width: `${item.depth * GUIDE_WIDTH}px` }} />}
      <i class={`tw ${item.children.length === 0 ? "" : row.open ? "open" : "closed"}`} />
      {node !== undefined && <StateGlyph state={node.state} />}
      <bdi>
        {node !== undefined && <span class="sr">{node.state} </span>}
        {item.label}
      </bdi>
      {node === undefined && <span class="cnt">{formatCount(item.below)}</span>}
      {kind !== undefined && <span class="cnt">{kind}</span>}
    </div>
  );
}

function ReasonCell({ node }: { readonly node: GraphNode }): JSX.Element {
  const title = primaryReason(node)?.title;
  const text = title === undefined ? node.state : `${node.state} · ${title}`;
  return (
    <div class="why" role="gridcell" title={text}>
      {text}
    </div>
  );
}

/** A closed scope shows the worst finding below it. */
function ScopeCells({ row, columns }: { readonly row: Row; readonly columns: readonly Column[] }): JSX.Element {
  const inside = `${row.item.path}/`;
  const found = [...findingsByNode.value].filter(([name]) => name.startsWith(inside)).flatMap(([, each]) => each);
  const worst = row.open ? undefined : found.sort(bySeverity)[0];
  return (
    <>
      {columns.map((column) => (
        <div key={column.id} role="gridcell">
          {column.id === "finding" && worst !== undefined && (
            <span title={`${worst.title} in ${worst.node}`}>
              <SeverityIcon severity={worst.severity} />
              <span class="sr">
                {worst.severity} inside: {worst.title}
              </span>
            </span>
          )}
        </div>
      ))}
    </>
  );
}

interface CellProps {
  readonly column: Column;
  readonly node: GraphNode;
  readonly index: number;
}

function Cell({ column, node, index }: CellProps): JSX.Element {
  switch (column.id) {
    case "number":
      return <NumberCell node={node} index={index} />;
    case "history":
      return <HistoryCell node={node} />;
    case "finding":
      return <FindingCell node={node} />;
    case "difference":
      return <Plain number text={signed(differences.value?.[index] ?? NaN)} />;
    case "class":
      return <Plain text={node.class} />;
    case "shape":
      return <Plain text={node.shape === null ? MISSING : formatShape("", node.shape).trim()} />;
    default: {
      const name = column.id.slice("statistic:".length);
      return <Plain number text={written(name, numbersOf(name)?.[index] ?? NaN)} />;
    }
  }
}

function Plain({
  text,
  number = false,
  title = text,
}: {
  readonly text: string;
  readonly number?: boolean;
  readonly title?: string;
}): JSX.Element {
  return (
    <div class={number ? "num" : "ellipsis dim"} role="gridcell" title={title}>
      {text}
    </div>
  );
}

function written(name: string, value: number): string {
  return Number.isNaN(value) ? MISSING : formatStatistic(name, value);
}

function signed(difference: number): string {
  if (Number.isNaN(difference)) return MISSING;
  return difference > 0 ? `+${formatNumber(difference)}` : formatNumber(difference);
}

/** The chosen statistic; where elements aren't finite, their count comes first, for nothing else about the tensor matters more. */
function NumberCell({ node, index }: { readonly node: GraphNode; readonly index: number }): JSX.Element {
  const shown = snapshot.value.data;
  const broken = shown === null ? { nan: 0, inf: 0 } : nonfiniteOf(shown, index);
  const counted = statistic.value.endsWith("_count");
  if (!counted && broken.nan + broken.inf > 0) {
    const text = broken.nan > 0 ? `${formatCount(broken.nan)} NaN` : `${formatCount(broken.inf)} Inf`;
    return (
      <div class="num broken" role="gridcell" title={text}>
        {text}
      </div>
    );
  }
  const known = graph.value.data;
  if (known !== null && shown !== null && isScalarFor(node, statistic.value)) {
    const value = scalarOf(known, shown, index);
    return (
      <Plain number text={written("mean", value)} title={`The value: a scalar has no ${labelOf(statistic.value)}.`} />
    );
  }
  const title = reasonOf(node, quantity.value) ?? undefined;
  return <Plain number text={written(statistic.value, numbers.value?.[index] ?? NaN)} title={title} />;
}

/** The sparkline itself is painted by the layer behind all rows; here stands the word where there is none. */
function HistoryCell({ node }: { readonly node: GraphNode }): JSX.Element {
  const reason = reasonOf(node, quantity.value);
  return (
    <div class="hist ellipsis" role="gridcell" title={reason ?? undefined}>
      {reason === null ? null : <Fragment>no {quantity.value}</Fragment>}
    </div>
  );
}

function FindingCell({ node }: { readonly node: GraphNode }): JSX.Element {
  const found = findingsByNode.value.get(node.name) ?? [];
  return (
    <div role="gridcell" title={found.map((finding) => finding.title).join(", ")}>
      {found.length > 0 && (
        <>
          <SeverityIcon severity={found[0].severity} />
          <span class="sr">
            {found[0].severity}: {found[0].title}
          </span>
        </>
      )}
    </div>
  );
}
