/** The colour bar that lies in the toolbar: the map from low to high with round numbers under it. */

import type { JSX } from "preact";
import { ticks } from "../charts/scale";
import { colormap } from "../colormap";
import { formatTick } from "../format";
import { theme } from "../state";
import type { Shading } from "./shading";

const STOPS = 16;
const MOST_TICKS = 4;

export function Legend({ shading }: { readonly shading: Shading }): JSX.Element {
  // Read so that another theme renders anew: the colours come from its tokens.
  void theme.value;
  const { css } = colormap(shading.map);
  const stops = Array.from({ length: STOPS + 1 }, (_, stop) => css[Math.round((stop / STOPS) * (css.length - 1))]);
  const { scale } = shading;
  const places = ticks(scale, MOST_TICKS).map((tick) => ({ tick, place: scale.unit(tick) }));
  const from = `${formatTick(Number(scale.low.toPrecision(2)))} to ${formatTick(Number(scale.high.toPrecision(2)))}`;
  return (
    <div class="legend" role="img" aria-label={`Colours from ${from}, ${scale.kind}`}>
      <div class="legend-bar" style={{ background: `linear-gradient(to right, ${stops.join(", ")})` }} />
      {places.map(({ tick, place }) => (
        <span key={tick} style={{ left: `${100 * place}%` }}>
          {formatTick(tick)}
        </span>
      ))}
    </div>
  );
}
