/*
 * Charts and pictures of one node and quantity, laid out for the room there is.
 *
 * The one invariant: the same cards in every layout. Little room stacks the two charts beside one picture; much room adds ridges, a second view of the same
 * value and the other quantities, and takes nothing away.
 */

import type { JSX } from "preact";
import { step } from "../state";
import type { ViewKind } from "../tensor/arrangement";
import type { GraphNode, Quantity } from "../types";
import type { Area } from "../widgets/canvas";
import { CardHead, CardMessage } from "./card";
import type { Compared } from "./statistics_card";
import { StatisticsCard } from "./statistics_card";
import { useSeries, type SeriesAnswer } from "./data";
import { HistogramCard, useCommon } from "./histogram_card";
import { recordedQuantities } from "./quantity_tabs";
import { beside } from "./state";
import { Viewer } from "./viewer";

const LARGE = { width: 700, height: 560 };

export type Layout = "split" | "large" | "stacked";

/** Which layout suits a body of this size. */
export function layoutOf({ width, height }: Area): Layout {
  if (width < 560) return "stacked";
  return width >= LARGE.width && height >= LARGE.height ? "large" : "split";
}

export interface BodyProps {
  readonly node: GraphNode;
  readonly quantity: Quantity;
  readonly series: SeriesAnswer;
  readonly compared?: Compared;
  readonly layout: Layout;
}

export function PanelBody(props: BodyProps): JSX.Element {
  const { node, quantity, layout } = props;
  const shown = beside.value ? recordedQuantities(node) : [quantity];
  const vectors = (node.shape?.length ?? 0) === 2 && node.kind !== "variable";
  const large = layout === "large";
  const second: ViewKind | null = large && vectors && shown.length === 1 ? "bars" : null;
  return (
    <div
      class={`panel-body room-${layout} ${large && vectors ? "vectors" : ""}`}
      id="quantity-panel"
      role="tabpanel"
      aria-label={quantity}
    >
      <div class="panel-charts">
        <section class="card">
          <Statistics {...props} />
        </section>
        <section class="card">
          <HistogramPart {...props} />
        </section>
      </div>
      <div class="panel-pictures">
        {second !== null && (
          <section class="card">
            <Picture {...props} view={second} />
          </section>
        )}
        {shown.map((each) => (
          <section key={each} class="card">
            {each === quantity ? <Picture {...props} /> : <OtherQuantity {...props} quantity={each} />}
          </section>
        ))}
      </div>
    </div>
  );
}

function Picture({
  node,
  quantity,
  series,
  layout,
  view,
}: BodyProps & { readonly view?: ViewKind }): JSX.Element | null {
  const at = step.value;
  if (at === null) return null;
  const data = { history: series.history, histogram: series.histogram };
  return (
    <Viewer
      key={`${quantity} ${view ?? ""}`}
      node={node}
      quantity={quantity}
      step={at}
      series={data}
      large={layout === "large"}
      view={view}
    />
  );
}

function OtherQuantity(props: BodyProps): JSX.Element {
  return <Picture {...props} series={useSeries(props.node.name, props.quantity)} />;
}

function Statistics({ node, quantity, series, compared }: BodyProps): JSX.Element {
  if (series.history === null) {
    return (
      <>
        <CardHead title="Statistics over steps" pending={series.error === null} />
        <CardMessage>{series.error?.message}</CardMessage>
      </>
    );
  }
  const { history, pending } = series;
  return (
    <StatisticsCard name={node.name} history={history} quantity={quantity} pending={pending} compared={compared} />
  );
}

function HistogramPart({ node, quantity, series }: BodyProps): JSX.Element {
  const common = useCommon(series.histogram);
  if (series.history !== null && common !== null) {
    const { history, pending } = series;
    return (
      <HistogramCard name={node.name} histogram={common} history={history} quantity={quantity} pending={pending} />
    );
  }
  const answered = series.histogramError !== null || series.histogram !== null;
  return (
    <>
      <CardHead title="Histogram over steps" pending={!answered} />
      <CardMessage>
        {answered &&
          (series.histogramError?.message ??
            "This run holds no histograms. They are recorded unless `histograms` is off.")}
      </CardMessage>
    </>
  );
}
