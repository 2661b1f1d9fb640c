/*
 * Charts and pictures of one node and quantity, laid out for the room there is.
 *
 * The one invariant: the same cards in every layout. Little room stacks the two charts beside one picture; much room adds ridges and a second view of the same
 * value, and takes nothing away. Only where several quantities are asked for and there is no room to stack them do they take the place of the charts.
 */

import type { ComponentChildren, JSX } from "preact";
import { isEmpty } from "../charts/history";
import { choicesOf } from "../charts/lanes";
import { tabId } from "../shell/tabs";
import { run, step } from "../state";
import type { ViewKind } from "../tensor/arrangement";
import type { GraphNode, Quantity } from "../types";
import type { CssPixels } from "../units";
import type { Area } from "../widgets/canvas";
import { Prose } from "../widgets/prose";
import { CardHead, CardMessage, NO_ELEMENTS } from "./card";
import { StatisticsCard } from "./statistics_card";
import { type Compared, type SeriesAnswer, useCompared, useSeries } from "./data";
import { HistogramCard, useCommon } from "./histogram_card";
import { recordedQuantities } from "./quantity_tabs";
import { beside, type HistogramStyle } from "./state";
import { Viewer } from "./viewer";

const LARGE = { width: 700, height: 560 };
/** Pictures of several quantities are stacked where each is as high as this. */
const STACKED_HEIGHT: CssPixels = 180;

export type Layout = "split" | "large" | "stacked" | "pictures";

/** Which layout suits a body of this size that shows `pictures` quantities. */
export function layoutOf({ width, height }: Area, pictures: number): Layout {
  if (width < 560) return "stacked";
  if (width >= LARGE.width && height >= LARGE.height) return "large";
  return pictures > 1 && height < pictures * STACKED_HEIGHT ? "pictures" : "split";
}

export interface BodyProps {
  readonly node: GraphNode;
  readonly quantity: Quantity;
  readonly series: SeriesAnswer;
  readonly compared?: Compared;
}

/** A picture with this much room shows all its tools. */
const TOOLS_WIDTH: CssPixels = 680;
/** From here on the ridges have a card of their own. */
const RIDGES_WIDTH: CssPixels = 900;

export function PanelBody(props: BodyProps & Area): JSX.Element {
  const { node, quantity, series, width } = props;
  if (series.history !== null && isEmpty(series.history)) return <CardMessage>{NO_ELEMENTS}</CardMessage>;
  const shown = beside.value ? recordedQuantities(node) : [quantity];
  const layout = layoutOf(props, shown.length);
  const large = layout === "large";
  const vectors = large && shown.length === 1 && isVector(node);
  const pictures = vectors ? 2 : shown.length;
  const room = { large, roomy: large && width / pictures >= TOOLS_WIDTH };
  const ridges = large && !vectors && width >= RIDGES_WIDTH;
  return (
    <div
      class={`panel-body room-${layout} ${vectors ? "vectors" : ""}`}
      id="quantity-panel"
      role="tabpanel"
      aria-labelledby={tabId(quantity)}
    >
      <div class="panel-charts">
        <Card>
          <Statistics {...props} />
        </Card>
        <Card>
          <HistogramPart {...props} only={ridges ? "heat" : undefined} />
        </Card>
        {ridges && (
          <Card>
            <HistogramPart {...props} only="ridges" />
          </Card>
        )}
      </div>
      <div class="panel-pictures">
        {vectors && (
          <Card>
            <Picture {...props} {...room} view="bars" />
          </Card>
        )}
        {shown.map((each) => (
          <Card key={each}>
            {each === quantity ? (
              <Picture {...props} {...room} view={vectors ? "heat" : undefined} />
            ) : (
              <OtherQuantity {...props} {...room} quantity={each} />
            )}
          </Card>
        ))}
      </div>
      {vectors && (
        <div class="panel-numbers">
          <Card>
            <Picture {...props} {...room} view="table" />
          </Card>
        </div>
      )}
    </div>
  );
}

/** Values of shape [batch, units]: bars of one example, all examples and the numbers fit side by side. */
function isVector(node: GraphNode): boolean {
  return node.shape?.length === 2 && node.kind !== "variable";
}

function Card({ children }: { readonly children: ComponentChildren }): JSX.Element {
  return <section class="card">{children}</section>;
}

interface PictureProps extends BodyProps {
  readonly large: boolean;
  readonly roomy: boolean;
  readonly view?: ViewKind;
}

function Picture({ node, quantity, series, compared, large, roomy, view }: PictureProps): JSX.Element | null {
  const at = step.value;
  if (at === null) return null;
  const shared = { node, quantity, step: at, series, compared, large, roomy, view };
  return <Viewer key={`${quantity} ${view ?? ""}`} {...shared} />;
}

function OtherQuantity(props: PictureProps): JSX.Element {
  const { node, quantity } = props;
  const [series, compared] = [useSeries(run.value, node.name, quantity), useCompared(node.name, quantity)];
  return <Picture {...props} series={series} compared={compared} />;
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

function HistogramPart({
  node,
  quantity,
  series,
  compared,
  only,
}: BodyProps & { readonly only?: HistogramStyle }): JSX.Element {
  const pair = useCommon(series.histogram, compared?.histogram ?? null);
  if (series.history !== null && pair !== null) {
    const shared = { name: node.name, history: series.history, quantity, pending: series.pending, only };
    return <HistogramCard {...pair} compared={compared} {...shared} />;
  }
  const answered = series.histogramError !== null || series.histogram !== null;
  const none =
    series.history !== null && choicesOf(series.history).length === 0
      ? "No element is finite."
      : "This run holds no histograms of this node. They are recorded unless `histograms` is off.";
  return (
    <>
      <CardHead title="Histogram over steps" pending={!answered} />
      <CardMessage>{answered && (series.histogramError?.message ?? <Prose text={none} />)}</CardMessage>
    </>
  );
}
