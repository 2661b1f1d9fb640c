/*
 * The line under a picture: what is kept of the tensor, what is dead, what isn't finite. The one invariant: a mark that the picture uses (hatch,
 * arrow, ∅) is explained here with its count.
 */

import type { JSX } from "preact";
import { finiteRange } from "../colormap";
import { formatCount, formatNumber } from "../format";
import { keptWords, meanRowEntropy, nonFiniteWords, plural, rangeWords, sameWords } from "../tensor/facts";
import type { NonFinite } from "../tensor/plane";
import { axisName, deadTiles, type Scene, scenePlane, tileCount, tileValues } from "./scene";
import { chosenTile } from "./state";

export function Foot({ scene, nonFinite }: { readonly scene: Scene; readonly nonFinite: NonFinite }): JSX.Element {
  const tile = axisName(scene, "tile");
  const tiled = tile !== "";
  const dead = deadTiles(scene).filter(Boolean).length;
  const chosen = tiled ? chosenTile.value : null;
  const odd = nonFiniteWords(nonFinite);
  const words = [
    chosen !== null && chosen < tileCount(scene)
      ? `${tile} ${formatCount(chosen)} chosen: ${rangeWords(finiteRange(tileValues(scene, chosen)))}`
      : "",
    tiled ? tilesWords(scene) : "",
    scene.kind === "attention" ? entropyWords(scene) : "",
    sameWords(scene.value.data),
    ...keptWords(scene.node, scene.value, scene.names),
    dead > 0 ? `∅ ${counted(dead, tile)} 0 in all kept` : "",
  ].filter((each) => each !== "");
  return (
    <div class="card-foot">
      {odd.length > 0 && (
        <b class="nan-words">
          {nonFinite.nan > 0 && <i class="swatch nan" />}
          {odd.join(" · ")}
        </b>
      )}
      <span>{words.join(" · ")}</span>
    </div>
  );
}

/** How wide each head looks, of what is possible: where the captions have no room for it, it stands here alone. */
function entropyWords(scene: Scene): string {
  const entropies = Array.from({ length: tileCount(scene) }, (_, head) => meanRowEntropy(scenePlane(scene, head)));
  if (entropies.every(Number.isNaN)) return "";
  const most = formatNumber(Math.log(scenePlane(scene).columns));
  return `entropy ${entropies.map((entropy) => formatNumber(entropy)).join(", ")} of at most ${most}`;
}

function tilesWords(scene: Scene): string {
  const plane = scenePlane(scene);
  return `${counted(tileCount(scene), axisName(scene, "tile"))}, ${plane.rows} × ${plane.columns}`;
}

const counted = (count: number, name: string): string => `${formatCount(count)} ${count === 1 ? name : plural(name)}`;
