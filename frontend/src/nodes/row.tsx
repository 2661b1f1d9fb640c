/*
 * One row of the node list. The one invariant: a node without numbers says why in the place where the numbers would be.
 */

import type { JSX } from "preact";
import { formatCount, formatDifference, formatShape, MISSING, visibleName } from "../format";
import type { Column } from "./columns";
import { findingsAt, findingsByNode } from "./filter";
import { differences, numbersOf, numbers, sorted } from "./model";
import type { Row } from "./tree";
import { graph, nodes, quantity, snapshot, statistic } from "../state";
import { formatStatistic, isScalarFor, labelOf, nonfiniteOf, primaryReason, reasonOf, scalarOf } from "../statistics";
import type { GraphNode, Kind } from "../types";
import type { CssPixels } from "../units";
import { SeverityIcon, StateGlyph } from "../widgets/icons";

/** Kinds that aren't plain from the name and the place of a node. */
const KIND_WORD: Readonly<Partial<Record<Kind, string>>> = { variable: "var", op: "op", probe: "probe" };

/**
 * A text of so many characters is cut by no column. One that may be cut gets a layer of its own in the browser: with one for each cell a frame of
 * scrolling took a quarter more.
 */
const SURELY_FITS = 9;

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
        columns.map((column) => <Cell key={column.id} column={column} node={node} row={row} />)
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
  const name = visibleName(item.label);
  return (
    <div class="nm" role="rowheader" title={item.path}>
      {item.depth > 0 && <i class="guides" style={{ width: `${item.depth * GUIDE_WIDTH}px` }} />}
      {!sorted.value && <i class={`tw ${item.children.length === 0 ? "" : row.open ? "open" : "closed"}`} />}
      {node !== undefined && <StateGlyph state={node.state} name={node.state} />}
      <bdi class="path">
        <bdi>{name}</bdi>
      </bdi>
      {node === undefined && <span class="cnt">{formatCount(item.below)}</span>}
      {kind !== undefined && <span class="cnt">{kind}</span>}
    </div>
  );
}

function ReasonCell({ node }: { readonly node: GraphNode }): JSX.Element {
  const title = primaryReason(node)?.title;
  return <Plain className="why" text={title === undefined ? node.state : `${node.state} · ${title}`} />;
}

function ScopeCells({ row, columns }: { readonly row: Row; readonly columns: readonly Column[] }): JSX.Element {
  return (
    <>
      {columns.map(({ id }) =>
        id === "finding" ? <FindingCell key={id} row={row} /> : <div key={id} role="gridcell" />,
      )}
    </>
  );
}

interface CellProps {
  readonly column: Column;
  readonly node: GraphNode;
  readonly row: Row;
}

function Cell({ column, node, row }: CellProps): JSX.Element {
  const { index } = row.item;
  switch (column.id) {
    case "number":
      return <NumberCell node={node} index={index} />;
    case "history":
      return <HistoryCell node={node} />;
    case "finding":
      return <FindingCell row={row} />;
    case "difference":
      return <Plain className="num" text={signed(differences.value?.[index])} />;
    case "class":
      return <Plain text={node.class} />;
    case "shape":
      return <Plain text={node.shape === null ? MISSING : formatShape("", node.shape).trim()} />;
    default: {
      const name = column.id.slice("statistic:".length);
      return <Plain className="num" text={written(name, numbersOf(name)?.[index])} />;
    }
  }
}

function Plain({
  text,
  className = "dim",
  title,
}: {
  readonly text: string;
  readonly className?: string;
  readonly title?: string | null;
}): JSX.Element {
  const long = text.length > SURELY_FITS;
  return (
    <div class={long ? `${className} ellipsis` : className} role="gridcell" title={title ?? (long ? text : undefined)}>
      {text}
    </div>
  );
}

function written(name: string, value = NaN): string {
  return Number.isNaN(value) ? MISSING : formatStatistic(name, value);
}

function signed(difference = NaN): string {
  return Number.isNaN(difference) ? MISSING : formatDifference(difference);
}

/** The chosen statistic; where elements aren't finite, their count stands there, for nothing else about the tensor matters more; the word first,
 * for what is long is cut at its end. */
function NumberCell({ node, index }: { readonly node: GraphNode; readonly index: number }): JSX.Element {
  const shown = snapshot.value.data;
  const broken = shown === null ? { nan: 0, inf: 0 } : nonfiniteOf(shown, index);
  const counted = statistic.value.endsWith("_count");
  if (!counted && broken.nan + broken.inf > 0) {
    const text = broken.nan > 0 ? `NaN ${formatCount(broken.nan)}` : `Inf ${formatCount(broken.inf)}`;
    return <Plain className="num broken" text={text} />;
  }
  const known = graph.value.data;
  if (known !== null && shown !== null && isScalarFor(node, statistic.value)) {
    const value = scalarOf(known, shown, index);
    return (
      <Plain
        className="num"
        text={written("mean", value)}
        title={`The value: a scalar has no ${labelOf(statistic.value)}.`}
      />
    );
  }
  const title = reasonOf(node, quantity.value);
  return <Plain className="num" text={written(statistic.value, numbers.value?.[index])} title={title} />;
}

/** The sparkline itself is painted by the layer behind all rows; here stands the word where there is none. */
function HistoryCell({ node }: { readonly node: GraphNode }): JSX.Element {
  const reason = reasonOf(node, quantity.value);
  return <Plain className="hist" text={reason === null ? "" : `no ${quantity.value}`} title={reason} />;
}

/** The worst finding of the row; of a closed one, of all that it hides. */
function FindingCell({ row }: { readonly row: Row }): JSX.Element {
  const { path, children } = row.item;
  const found = findingsAt(path, children.length > 0 && !row.open, findingsByNode.value);
  const words = found.map(({ title, node }) => (node === path ? title : `${title} in ${node}`));
  return (
    <div role="gridcell" title={words.join(", ")}>
      {found.length > 0 && <SeverityIcon severity={found[0].severity} name={`${found[0].severity}: ${words[0]}`} />}
    </div>
  );
}
