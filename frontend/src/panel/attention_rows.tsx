/*
 * Where one query looks: its largest weights, head by head. The one invariant: the row listed is the row outlined in the maps above.
 */

import type { JSX } from "preact";
import { formatCount, formatNumber, formatShare } from "../format";
import { largestOfRow, meanRowEntropy } from "../tensor/facts";
import { elementAt } from "../tensor/plane";
import { type Scene, scenePlane, tileCount } from "./scene";
import { chosenQuery, chosenRow } from "./state";
import { Stepper } from "./stepper";

const LISTED = 4;
const SUMMED = 5;

export function AttentionRows({ scene }: { readonly scene: Scene }): JSX.Element {
  const { rows } = scenePlane(scene);
  const query = chosenQuery(rows, chosenRow.value);
  return (
    <div class="attention-rows">
      <div class="attention-rows-head">
        <Stepper name="query" index={query} count={rows} onChange={(index) => (chosenRow.value = index)} />
        <span class="dim">the outlined row; a click on a map chooses another</span>
      </div>
      <div class="scroll">
        <table>
          <thead>
            <tr>
              <th class="start">head</th>
              <th class="start">largest weights (key)</th>
              <th>on itself</th>
              <th>top {SUMMED}</th>
              <th>entropy</th>
            </tr>
          </thead>
          <tbody>
            {Array.from({ length: tileCount(scene) }, (_, head) => (
              <HeadRow key={head} scene={scene} head={head} query={query} />
            ))}
          </tbody>
        </table>
      </div>
    </div>
  );
}

function HeadRow({
  scene,
  head,
  query,
}: {
  readonly scene: Scene;
  readonly head: number;
  readonly query: number;
}): JSX.Element {
  const plane = scenePlane(scene, head);
  const largest = largestOfRow(plane, query, SUMMED);
  const sum = largest.reduce((total, { value }) => total + value, 0);
  return (
    <tr>
      <td class="start">{formatCount(head)}</td>
      <td class="start">
        {largest.slice(0, LISTED).map(({ column, value }) => (
          <span key={column} class="weight">
            <b>{formatNumber(value)}</b> <span class="dim">({formatCount(column)})</span>
          </span>
        ))}
      </td>
      <td>{query < plane.columns ? formatNumber(elementAt(plane, query, query)) : "–"}</td>
      <td>{formatShare(sum)}</td>
      <td>{formatNumber(meanRowEntropy(plane))}</td>
    </tr>
  );
}
