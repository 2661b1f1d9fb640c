/**
 * The matrix view: nodes × steps, coloured by one statistic.
 *
 * The one invariant: rows are those of the list, columns cover every recorded step, and a click means the node and the step that the tip names.
 */

import type { JSX } from "preact";
import { useCallback, useEffect, useLayoutEffect, useMemo, useState } from "preact/hooks";
import { drawColorbarMark } from "../charts/colorbar";
import { Picture } from "../charts/picture";
import { brush, hoverStep, shown as shownSteps } from "../charts/shared";
import { formatCount } from "../format";
import { findingsByNode } from "../nodes/filter";
import { numbers, differences } from "../nodes/model";
import { scrolledTo, windowOf } from "../nodes/window";
import { node, nodes, selectNode, statistic, step, theme } from "../state";
import { labelOf } from "../statistics";
import type { CssPixels, NodeIndex } from "../units";
import { useArea, type Paint } from "../widgets/canvas";
import { SeverityIcon, StateGlyph } from "../widgets/icons";
import { isCompared } from "./compare";
import { edges, matrix, matrixAnswer, plotWidth, shadingOf } from "./data";
import { domain } from "./options";
import { barPlace, paintBar, paintHeat, paintOverlay, paintSteps } from "./paint";
import { barTitle, pictureOf, whatIsShown } from "./picture";
import { matrixPointer } from "./pointer";
import { labelParts, rowHeight, rowsHeight } from "./rows";
import { CellTip } from "./cell_tip";
import { columnAt, type CellPlace, type Geometry } from "./geometry";
import { cursor, hovered, matrixRows } from "./view";
import "./matrix.css";

export { MatrixToolbar } from "./toolbar";

const KEYS = "Arrow keys move over cells, Enter goes to the node and the step, plus and minus zoom, 0 shows all steps.";
/** Below this width names get less room. */
const NARROW: CssPixels = 640;
const BAR_WIDTH: CssPixels = 74;
/** Under the rows, with the padding around both. */
const AXIS_HEIGHT: CssPixels = 28;

export function MatrixView(): JSX.Element {
  const [view, viewArea] = useArea<HTMLDivElement>();
  const [scroller, area] = useArea<HTMLDivElement>();
  const [plot, plotArea] = useArea<HTMLDivElement>();
  const [scrollTop, setScrollTop] = useState<CssPixels>(0);
  const rows = matrixRows.value;
  const room = viewArea.height - AXIS_HEIGHT;
  const height = rowHeight(rows.length, room);
  useEffect(() => {
    plotWidth.value = plotArea.width;
  }, [plotArea.width]);
  useEffect(() => () => void (plotWidth.value = 0), []);
  const range = shownSteps.value;
  const geometry = useMemo<Geometry>(
    () => ({ range, width: plotArea.width, height: area.height, rowHeight: height, scrollTop, count: rows.length }),
    [range, plotArea.width, area.height, height, scrollTop, rows.length],
  );
  useScrollToSelection(scroller, rows, height, area.height);
  return (
    <div
      ref={view}
      class={`mx ${viewArea.width < NARROW ? "narrow" : ""}`}
      style={{ "--rows": `${rowsHeight(rows.length, room)}px` }}
      role="group"
      aria-label="Matrix"
    >
      <div ref={scroller} class="mx-scroll" onScroll={(event) => setScrollTop(event.currentTarget.scrollTop)}>
        <Labels rows={rows} height={height} scrollTop={scrollTop} viewHeight={area.height} />
        <div ref={plot} class="mx-plot" style={{ height: `${area.height}px` }}>
          <Heat geometry={geometry} rows={rows} scroller={scroller} />
        </div>
      </div>
      <Axis geometry={geometry} />
      <Bar rows={rows} />
      <Notice rows={rows.length} />
    </div>
  );
}

/** The row of the selected node comes into view when it is selected, not when the user scrolls away from it. */
function useScrollToSelection(
  scroller: { readonly current: HTMLDivElement | null },
  rows: readonly NodeIndex[],
  height: CssPixels,
  viewHeight: CssPixels,
): void {
  const selected = rows.findIndex((index) => nodes.value[index].name === node.value);
  useLayoutEffect(() => {
    const element = scroller.current;
    if (element === null || selected < 0 || viewHeight === 0) return;
    element.scrollTop = scrolledTo(selected, element.scrollTop, viewHeight, height);
  }, [node.value, selected >= 0, viewHeight > 0]);
}

interface LabelsProps {
  readonly rows: readonly NodeIndex[];
  readonly height: CssPixels;
  readonly scrollTop: CssPixels;
  readonly viewHeight: CssPixels;
}

/** Names of the rows around the seen ones. */
function Labels({ rows, height, scrollTop, viewHeight }: LabelsProps): JSX.Element {
  const { start, stop } = windowOf(scrollTop, viewHeight, height, rows.length);
  return (
    <div class="mx-labels" style={{ height: `${rows.length * height}px` }}>
      {rows.slice(start, stop).map((index, offset) => (
        <Label key={index} index={index} row={start + offset} height={height} />
      ))}
    </div>
  );
}

function Label({
  index,
  row,
  height,
}: {
  readonly index: NodeIndex;
  readonly row: number;
  readonly height: CssPixels;
}): JSX.Element {
  const each = nodes.value[index];
  const { scope, label } = labelParts(each.name);
  const found = findingsByNode.value.get(each.name)?.[0];
  const mark = each.name === node.value ? "on" : hovered.value?.row === row ? "hov" : "";
  return (
    <div
      class={`mx-label ${mark}`}
      style={{ top: `${row * height}px`, height: `${height}px` }}
      title={each.name}
      onClick={() => selectNode(each.name)}
    >
      <StateGlyph state={each.state} />
      <span class="ellipsis">
        <bdi>
          <span class="dim">{scope}</span>
          {label}
        </bdi>
      </span>
      {found !== undefined && <SeverityIcon severity={found.severity} size={11} />}
    </div>
  );
}

interface HeatProps {
  readonly geometry: Geometry;
  readonly rows: readonly NodeIndex[];
  readonly scroller: { readonly current: HTMLDivElement | null };
}

function Heat({ geometry, rows, scroller }: HeatProps): JSX.Element {
  const [data, places, shade, shown] = [matrix.value, edges.value, shadingOf.value, theme.value];
  const picture = useMemo(() => pictureOf(geometry, rows), [data, places, shade, rows, geometry, shown]);
  const base = useCallback<Paint>(
    (pen, area, palette) => picture !== null && paintHeat(pen, area, palette, picture, window.devicePixelRatio),
    [picture],
  );
  const overlay = {
    step: step.value,
    hoverStep: hoverStep.value,
    hovered: hovered.value,
    cursor: cursor.value,
    selected: rows.findIndex((index) => nodes.value[index].name === node.value),
    brush: brush.value,
  };
  const over = useCallback<Paint>(
    (pen, area, palette) => picture !== null && paintOverlay(pen, area, palette, picture, overlay),
    [picture, ...Object.values(overlay)],
  );
  const handlers = picture === null ? {} : matrixPointer(picture, scroller);
  const label = `${whatIsShown()} of ${formatCount(rows.length)} nodes over steps.`;
  return (
    <Picture label={label} keys={KEYS} base={base} over={over} {...handlers}>
      {picture !== null && <CellTip picture={picture} />}
    </Picture>
  );
}

function Axis({ geometry }: { readonly geometry: Geometry }): JSX.Element {
  const at = step.value;
  const paint = useCallback<Paint>(
    (pen, area, palette) => paintSteps(pen, area, palette, geometry, at),
    [geometry, at],
  );
  return (
    <>
      <span class="mx-corner">step →</span>
      <Picture className="mx-axis" label="Axis of steps" base={paint} />
    </>
  );
}

/** The colour bar; points at the selected node's number and, while the pointer is over a cell, at that. */
function Bar({ rows }: { readonly rows: readonly NodeIndex[] }): JSX.Element {
  const shade = shadingOf.value;
  const chosen = rows.find((index) => nodes.value[index].name === node.value);
  const place = hovered.value ?? cursor.value;
  const pointed = place === null ? undefined : rows[place.row];
  const row = pointed ?? chosen ?? rows[0];
  const own = shade === null || row === undefined ? null : shade(row);
  const values = isCompared() ? differences.value : numbers.value;
  const mark = pointed === undefined ? (values?.[chosen ?? -1] ?? NaN) : cellValue(place, pointed);
  const title = own === null ? "" : barTitle(own);
  const perRow = domain.value === "row" && row !== undefined ? labelParts(nodes.value[row].name).label : "";
  const base = useCallback<Paint>(
    (pen, area, palette) => own !== null && paintBar(pen, area, palette, own, title),
    [own, title, theme.value],
  );
  const over = useCallback<Paint>(
    (pen, area, palette) => own !== null && drawColorbarMark(pen, barPlace(area.height), own, mark, palette),
    [own, mark],
  );
  return (
    <div class="mx-bar" style={{ width: `${BAR_WIDTH}px` }}>
      <Picture label={`Colour bar of ${title}`} base={base} over={over} />
      {perRow !== "" && <span class="mx-bar-row ellipsis">{perRow}</span>}
    </div>
  );
}

/** The number of a cell, that is the larger in magnitude of its two ends. */
function cellValue(place: CellPlace | null, index: NodeIndex): number {
  const [data, places] = [matrix.value, edges.value];
  if (place === null || data === null || places === null) return NaN;
  const column = columnAt(data, places, place.step);
  if (column < 0 || index >= data.nodes) return NaN;
  const [low, high] = [data.low[index * data.columns + column], data.high[index * data.columns + column]];
  return Math.abs(low) > Math.abs(high) ? low : high;
}

function Notice({ rows }: { readonly rows: number }): JSX.Element | null {
  const { pending, error } = matrixAnswer.value;
  if (error !== null && matrix.value === null) return <p class="mx-notice">{error.message}</p>;
  if (rows === 0 && nodes.value.length > 0) return <p class="mx-notice">No node passes the filters.</p>;
  if (matrix.value === null && pending) return <p class="mx-notice">Loading {labelOf(statistic.value)} …</p>;
  if (matrix.value !== null && matrix.value.columns === 0) return <p class="mx-notice">Nothing is recorded yet.</p>;
  return null;
}
