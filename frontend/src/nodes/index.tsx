/*
 * The node list: a virtual treegrid. Only the rows near the screen are in the document; all have the same height.
 *
 * The one invariant: the focus stays on the grid, which names its active row (`aria-activedescendant`); so a row may leave the document
 * without taking the focus with it. New data changes what rows show, never where the list is scrolled to.
 */

import "./nodes.css";
import { computed } from "@preact/signals";
import type { JSX } from "preact";
import { useCallback, useLayoutEffect, useRef, useState } from "preact/hooks";
import { formatCount } from "../format";
import { addShortcuts } from "../keys";
import { graph, node, nodes, quantity, selectNode, statistic, step, summary } from "../state";
import { STATES } from "../types";
import type { CssPixels } from "../units";
import { Picture } from "../charts/picture";
import { useArea } from "../widgets/canvas";
import type { Paint } from "../widgets/canvas";
import { StateGlyph } from "../widgets/icons";
import { TextButton } from "../widgets/controls";
import { columnsFor, fromRight, gridTemplate } from "./columns";
import type { Column } from "./columns";
import { clearFilters, matcher } from "./filter";
import { ListHead } from "./head";
import { history, lossHistory, lossIndex } from "./history";
import { cursor, rowByPath, rows, stale, toggle } from "./model";
import { openOperations } from "./operations";
import { NodeRow, rowId } from "./row";
import { paintSparkline, paintSparklinePlace } from "./sparkline";
import type { SparklineFrame, SparklineModel } from "./sparkline";
import { scrolledTo, windowOf } from "./window";
import type { RowWindow } from "./window";
import { isScalarFor, reasonOf } from "../statistics";
import { createTypeAhead, moveOnKey } from "./treegrid";

const ROW_HEIGHT: CssPixels = 24;

export function NodeList({ narrow }: { readonly narrow: boolean }): JSX.Element {
  const [box, area] = useArea<HTMLDivElement>();
  const columns = columnsFor(area.width, narrow);
  return (
    <nav class="list" aria-label="Nodes">
      <ListHead columns={columns} />
      <div class="list-box" ref={box}>
        <Rows columns={columns} height={area.height} />
      </div>
      <ListFoot />
    </nav>
  );
}

function Rows({ columns, height }: { readonly columns: readonly Column[]; readonly height: CssPixels }): JSX.Element {
  const scroller = useRef<HTMLDivElement>(null);
  const count = rows.value.length;
  const [scrollTop, setScrollTop] = useState(0);
  const shown = windowOf(scrollTop, height, ROW_HEIGHT, count);
  const active = cursor.value;

  const reveal = useCallback((index: number): void => {
    const element = scroller.current;
    if (element === null) return;
    element.scrollTop = scrolledTo(index, element.scrollTop, element.clientHeight, ROW_HEIGHT);
  }, []);

  useReveal(reveal, height);
  useRowKeys(reveal);

  // Rendering follows blocks of rows, not pixels.
  const onScroll = (): void => {
    const top = scroller.current?.scrollTop ?? 0;
    const next = windowOf(top, height, ROW_HEIGHT, count);
    if (next.start !== shown.start || next.stop !== shown.stop) setScrollTop(top);
  };
  const typeAhead = useRef(createTypeAhead());
  const onKeyDown = (event: KeyboardEvent): void => {
    const index = moveOnKey(event, Math.max(1, Math.floor(height / ROW_HEIGHT) - 1), typeAhead.current);
    if (index === null) return;
    event.preventDefault();
    if (index >= 0) goTo(index, reveal);
  };

  return (
    <div
      ref={scroller}
      class="rows"
      role="treegrid"
      aria-label="Nodes by scope"
      aria-rowcount={count}
      aria-colcount={columns.length + 1}
      aria-busy={graph.value.pending}
      aria-activedescendant={active !== null && rowByPath.value.has(active) ? rowId(active) : undefined}
      tabIndex={0}
      onScroll={onScroll}
      onKeyDown={onKeyDown}
      onMouseDown={(event) => {
        // A click selects without taking the focus, so that the keys of the page go on to act.
        if (document.activeElement !== scroller.current) event.preventDefault();
      }}
      onClick={onRowClick}
    >
      {count === 0 ? <NoRows /> : <Window shown={shown} columns={columns} count={count} />}
    </div>
  );
}

function Window({
  shown,
  columns,
  count,
}: {
  readonly shown: RowWindow;
  readonly columns: readonly Column[];
  readonly count: number;
}): JSX.Element {
  const visible = rows.value.slice(shown.start, shown.stop);
  return (
    <div class="rows-all" role="rowgroup" style={{ height: `${count * ROW_HEIGHT}px` }}>
      <div
        class={`rows-window ${stale.value ? "stale" : ""}`}
        role="presentation"
        style={{ top: `${shown.start * ROW_HEIGHT}px`, "--columns": gridTemplate(columns) }}
      >
        {visible.map((row, offset) => (
          <NodeRow
            key={row.item.path}
            row={row}
            position={shown.start + offset}
            columns={columns}
            active={cursor.value === row.item.path}
            selected={node.value === row.item.path && row.item.index >= 0}
          />
        ))}
        <Sparklines shown={shown} columns={columns} />
      </div>
    </div>
  );
}

/** All sparklines of the window on one canvas, which scrolls with the rows; on another above it, where the step is. */
function Sparklines({
  shown,
  columns,
}: {
  readonly shown: RowWindow;
  readonly columns: readonly Column[];
}): JSX.Element | null {
  const right = fromRight(columns, "history");
  const width = columns.find((column) => column.id === "history")?.width ?? 0;
  const { start, stop } = shown;
  const matrix = history.value.data;
  const [losses, lossAt] = [lossHistory.value, lossIndex.value];
  const [all, at, kind, name] = [rows.value, step.value, quantity.value, statistic.value];
  const last = summary.value?.last_step ?? 0;
  /** Calls `paint` with the place and the history of every row of the window that has one. */
  const forEach = useCallback(
    (paint: (frame: SparklineFrame, model: SparklineModel) => void): void => {
      if (matrix === null) return;
      for (let index = start; index < Math.min(stop, all.length); index += 1) {
        const each = all[index].item.index;
        const known = nodes.peek()[each];
        if (known === undefined || each >= matrix.nodes || reasonOf(known, kind) !== null) continue;
        const scalar = isScalarFor(known, name);
        if (scalar && (each !== lossAt || losses === null)) continue;
        const frame = { left: 0, top: (index - start) * ROW_HEIGHT + 1, width, height: ROW_HEIGHT - 2 };
        const series = scalar && losses !== null ? { matrix: losses, node: 0 } : { matrix, node: each };
        paint(frame, { ...series, quantity: kind, lastStep: last });
      }
    },
    [matrix, losses, lossAt, all, kind, name, last, start, stop, width],
  );
  const base = useCallback<Paint>(
    (pen, _area, palette) => forEach((frame, model) => paintSparkline(pen, palette, frame, model)),
    [forEach],
  );
  const over = useCallback<Paint>(
    (pen, _area, palette) => {
      if (at !== null) forEach((frame, model) => paintSparklinePlace(pen, palette, frame, model, at));
    },
    [forEach, at],
  );
  if (right === null) return null;
  return (
    <div
      class="sparks"
      aria-hidden="true"
      style={{ right: `${right - width}px`, width: `${width}px`, height: `${(stop - start) * ROW_HEIGHT}px` }}
    >
      <Picture label="" base={base} over={over} />
    </div>
  );
}

const chosenRow = computed(() => rowByPath.value.get(node.value ?? "") ?? -1);

/** Keeps the row of the selected node on screen when the selection or the rows above it change, but not when the user scrolls. */
function useReveal(reveal: (index: number) => void, height: CssPixels): void {
  const chosen = node.value;
  const index = chosenRow.value;
  const revealed = useRef<string | null>(null);
  useLayoutEffect(() => {
    if (index < 0 || height === 0 || revealed.current === chosen) return;
    revealed.current = chosen;
    reveal(index);
  }, [chosen, index, height, reveal]);
}

/** ↑ and ↓ move in the list also when the focus is elsewhere. */
function useRowKeys(reveal: (index: number) => void): void {
  useLayoutEffect(() => {
    const move = (by: number) => (): void => {
      const from = rowByPath.peek().get(cursor.peek() ?? "") ?? -1;
      goTo(Math.min(Math.max(from + by, 0), rows.peek().length - 1), reveal);
    };
    return addShortcuts([
      { keys: ["ArrowUp"], does: "Previous node of the list", run: move(-1) },
      { keys: ["ArrowDown"], does: "Next node of the list", run: move(1) },
    ]);
  }, [reveal]);
}

/** Moves the cursor to a row; a node is selected by that, a scope is not. */
function goTo(index: number, reveal: (index: number) => void): void {
  const row = rows.peek()[index];
  if (row === undefined) return;
  cursor.value = row.item.path;
  if (row.item.index >= 0) selectNode(row.item.path);
  reveal(index);
}

function onRowClick(event: MouseEvent): void {
  const target = event.target as HTMLElement;
  const path = target.closest<HTMLElement>(".row")?.dataset.path;
  const row = rows.peek()[rowByPath.peek().get(path ?? "") ?? -1];
  if (row === undefined) return;
  cursor.value = row.item.path;
  if (row.item.index < 0 || target.closest(".tw") !== null) toggle(row.item.path);
  else selectNode(row.item.path);
}

function NoRows(): JSX.Element {
  const { error } = matcher.value;
  if (nodes.value.length === 0)
    return <p class="no-rows">{graph.value.pending ? "Loading …" : "This run has no nodes."}</p>;
  return (
    <p class="no-rows" role="row">
      <span role="gridcell">
        {error === null ? "No node passes the filters." : `This is not a regular expression: ${error}`}{" "}
        <TextButton onClick={clearFilters}>Clear filters</TextButton>
      </span>
    </p>
  );
}

const counts = computed(() => STATES.map((state) => nodes.value.filter((each) => each.state === state).length));

function ListFoot(): JSX.Element {
  return (
    <div class="lf">
      {STATES.map((state, index) => (
        <span key={state}>
          <StateGlyph state={state} />
          <b>{formatCount(counts.value[index])}</b> {state}
        </span>
      ))}
      <TextButton onClick={openOperations} title="Every TensorFlow operation of the step">
        operations
      </TextButton>
    </div>
  );
}
