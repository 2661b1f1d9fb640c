/** The colour bar that lies in the toolbar: the map from low to high with its ends and round numbers under it. */

import type { JSX } from "preact";
import { ticks } from "../charts/scale";
import { colormap, type Coloring } from "../colormap";
import { formatTick } from "../format";
import { theme } from "../state";

const STOPS = 16;
const MOST_TICKS = 4;
/** Share of the bar that a character of its numbers takes, with some room around them. */
const CHARACTER = 0.034;
/** Characters of a number between the ends that lie to one side of its place. */
const TICK = 3;

export function Legend({ shading }: { readonly shading: Coloring }): JSX.Element {
  if (Number.isNaN(shading.scale.low)) return <div class="legend dim">nothing finite</div>;
  // Read so that another theme renders anew: the colours come from its tokens.
  void theme.value;
  const { css } = colormap(shading.map);
  const stops = Array.from({ length: STOPS + 1 }, (_, stop) => css[Math.round((stop / STOPS) * (css.length - 1))]);
  const { scale } = shading;
  const [low, high] = [scale.low, scale.high].map((end) => formatTick(Number(end.toPrecision(2))));
  const room = (Math.max(low.length, high.length) + TICK) * CHARACTER;
  let free = room;
  const between = ticks(scale, MOST_TICKS).flatMap((tick) => {
    const [text, place] = [formatTick(tick), scale.unit(tick)];
    if (place <= free || place >= 1 - room) return [];
    free = place + (text.length + 1) * CHARACTER;
    return [{ text, place }];
  });
  return (
    <div class="legend" role="img" aria-label={`Colours from ${low} to ${high}, ${scale.kind}`}>
      <div class="legend-bar" style={{ background: `linear-gradient(to right, ${stops.join(", ")})` }} />
      {[{ text: low, place: 0 }, ...between, { text: high, place: 1 }].map(({ text, place }) => (
        <span key={place} style={{ left: `${100 * place}%` }}>
          {text}
        </span>
      ))}
    </div>
  );
}
