/*
 * A table of numbers of any size: only the cells in sight exist.
 *
 * The one invariant: a cell shows the element itself, four digits, NaN and the infinities marked as everywhere; the clipboard gets all rows and
 * columns in full precision, not what is in sight.
 */

import type { JSX } from "preact";
import { useLayoutEffect, useRef, useState } from "preact/hooks";
import { formatCount, formatExact, formatNumber } from "../format";
import { useArea } from "../widgets/canvas";
import { useCopy } from "../widgets/prose";
import type { CssPixels } from "../units";

const ROW_HEIGHT: CssPixels = 22;
const COLUMN_WIDTH: CssPixels = 78;
const HEAD_WIDTH: CssPixels = 76;
/** Rows and columns beyond the edge, so that scrolling shows no white. */
const MARGIN = 4;

export interface NumberTableProps {
  readonly label: string;
  readonly rows: number;
  readonly columns: number;
  readonly corner: string;
  readonly rowHead: (row: number) => string;
  readonly columnHead: (column: number) => string;
  readonly cell: (row: number, column: number) => number;
  readonly chosenRow?: number;
}

const px = (length: CssPixels): string => `${length}px`;

interface Span {
  readonly start: number;
  readonly stop: number;
}

/** The indices in sight, with a margin. */
export function visibleSpan(offset: CssPixels, length: CssPixels, size: CssPixels, count: number): Span {
  const start = Math.max(0, Math.floor(offset / size) - MARGIN);
  return { start, stop: Math.min(count, Math.ceil((offset + length) / size) + MARGIN) };
}

/** The browser scrolls by these keys; to the page some of them mean steps. */
function keepScrollKeys(event: KeyboardEvent): void {
  if (/^(Arrow|Page|Home|End)/.test(event.key)) event.stopPropagation();
}

export function NumberTable(props: NumberTableProps): JSX.Element {
  const [box, area] = useArea<HTMLDivElement>();
  const [offset, setOffset] = useState({ left: 0, top: 0 });
  const scheduled = useRef(false);
  const chosen = props.chosenRow ?? -1;
  useLayoutEffect(() => {
    if (box.current === null || chosen < 0 || area.height === 0) return;
    const { scrollTop } = box.current;
    const top = (chosen + 1) * ROW_HEIGHT;
    const seen = top >= scrollTop + ROW_HEIGHT && top + ROW_HEIGHT <= scrollTop + area.height;
    if (!seen) box.current.scrollTop = Math.max(0, top - area.height / 2);
  }, [box, chosen, area.height]);
  const rows = visibleSpan(offset.top, area.height, ROW_HEIGHT, props.rows);
  const columns = visibleSpan(offset.left, area.width, COLUMN_WIDTH, props.columns);
  const onScroll = (): void => {
    if (scheduled.current) return;
    scheduled.current = true;
    requestAnimationFrame(() => {
      scheduled.current = false;
      if (box.current !== null) setOffset({ left: box.current.scrollLeft, top: box.current.scrollTop });
    });
  };
  return (
    <div
      ref={box}
      class="number-table fill"
      role="table"
      aria-label={props.label}
      aria-rowcount={props.rows + 1}
      aria-colcount={props.columns + 1}
      tabIndex={0}
      onScroll={onScroll}
      onKeyDown={keepScrollKeys}
    >
      <div
        class="number-table-space"
        style={{ width: px(HEAD_WIDTH + props.columns * COLUMN_WIDTH), height: px((props.rows + 1) * ROW_HEIGHT) }}
      >
        <HeadRow {...props} span={columns} />
        {indices(rows).map((row) => (
          <NumberRow key={row} {...props} row={row} span={columns} />
        ))}
      </div>
    </div>
  );
}

const indices = ({ start, stop }: Span): number[] =>
  Array.from({ length: Math.max(0, stop - start) }, (_, index) => start + index);

function HeadRow({ corner, columnHead, span }: NumberTableProps & { readonly span: Span }): JSX.Element {
  return (
    <div class="number-row number-head" role="row" aria-rowindex={1}>
      <span class="number-corner" role="columnheader" aria-colindex={1}>
        {corner}
      </span>
      {indices(span).map((column) => (
        <span
          key={column}
          role="columnheader"
          aria-colindex={column + 2}
          style={{ left: px(HEAD_WIDTH + column * COLUMN_WIDTH) }}
          title={columnHead(column)}
        >
          {columnHead(column)}
        </span>
      ))}
    </div>
  );
}

function NumberRow({
  row,
  span,
  rowHead,
  cell,
  chosenRow,
}: NumberTableProps & { readonly row: number; readonly span: Span }): JSX.Element {
  return (
    <div
      class={`number-row ${row === chosenRow ? "on" : ""}`}
      role="row"
      aria-rowindex={row + 2}
      style={{ top: px((row + 1) * ROW_HEIGHT) }}
    >
      <span class="number-corner" role="rowheader" aria-colindex={1}>
        {rowHead(row)}
      </span>
      {indices(span).map((column) => (
        <Cell key={column} value={cell(row, column)} column={column} />
      ))}
    </div>
  );
}

function Cell({ value, column }: { readonly value: number; readonly column: number }): JSX.Element {
  const place = { left: px(HEAD_WIDTH + column * COLUMN_WIDTH) };
  const finite = Number.isFinite(value);
  return (
    <span role="cell" aria-colindex={column + 2} class={finite ? "" : "odd"} style={place}>
      {Number.isNaN(value) && <i class="swatch nan" />}
      {!finite && !Number.isNaN(value) && (value > 0 ? "▲ " : "▼ ")}
      {Number.isInteger(value) && Math.abs(value) >= 1000 ? formatCount(value) : formatNumber(value, 4)}
    </span>
  );
}

/** More cells than this would block the page and overflow what spreadsheets take. */
export const MOST_COPIED_CELLS = 2_000_000;

/** All cells as tab-separated text with heads. */
export function tableText({ rows, columns, corner, rowHead, columnHead, cell }: NumberTableProps): string {
  const line = (cells: readonly string[]): string => cells.join("\t");
  const all = Array.from({ length: columns }, (_, column) => column);
  const head = line([corner, ...all.map(columnHead)]);
  const body = Array.from({ length: rows }, (_, row) =>
    line([rowHead(row).replaceAll(",", ""), ...all.map((column) => formatExact(cell(row, column)))]),
  );
  return [head, ...body].join("\n");
}

export function CopyTable({ table }: { readonly table: NumberTableProps }): JSX.Element {
  const [outcome, copy] = useCopy();
  const tooMany = table.rows * table.columns > MOST_COPIED_CELLS;
  const words = tooMany ? "Too many cells: download the .npy" : undefined;
  return (
    <button type="button" class="btn" disabled={tooMany} title={words} onClick={() => copy(tableText(table))}>
      {outcome || "Copy as TSV"}
    </button>
  );
}
