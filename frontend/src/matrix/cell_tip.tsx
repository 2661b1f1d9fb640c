/** What a cell says: the node, its number (or the smallest and largest of a column of several captures), its steps. */

import type { JSX } from "preact";
import { useEffect } from "preact/hooks";
import { announce } from "../a11y";
import { formatCount } from "../format";
import { nodes, quantity, statistic, steps } from "../state";
import { formatStatistic, labelOf } from "../statistics";
import type { Steps } from "../types";
import { isCompared } from "./compare";
import type { MatrixPicture } from "./paint";
import { Tip } from "../charts/tip";
import { columnAt, xOfStep, yOfRow, type CellPlace } from "./geometry";
import { cursor, hovered } from "./view";
import { firstAtLeast } from "../charts/timeline";

export interface CellText {
  readonly scope: string;
  readonly name: string;
  readonly value: string;
  readonly steps: string;
}

function stepsText(recorded: Steps | null, start: number, stop: number): string {
  if (recorded === null) return `step ${formatCount(start)}`;
  const first = firstAtLeast(recorded.step, start);
  const epoch = recorded.epoch[first];
  // A training loop of the user's own has no epochs.
  const words = epoch >= 0 ? ` · epoch ${formatCount(epoch + 1)}` : "";
  if (start === stop) return `step ${formatCount(start)} · capture ${formatCount(first + 1)}${words}`;
  const count = firstAtLeast(recorded.step, stop + 1) - first;
  return `steps ${formatCount(start)} to ${formatCount(stop)} · ${formatCount(count)} captures`;
}

/** Null for a place without a column. */
export function cellText(
  { matrix, edges, rows, reasonOf }: MatrixPicture,
  place: CellPlace,
  recorded: Steps | null,
): CellText | null {
  const index = rows[place.row];
  const column = columnAt(matrix, edges, place.step);
  if (index === undefined || column < 0) return null;
  const { name } = nodes.peek()[index];
  const cut = name.lastIndexOf("/") + 1;
  const at = index * matrix.columns + column;
  const [low, high] = [matrix.low[at], matrix.high[at]];
  const write = (value: number): string => formatStatistic(statistic.peek(), value);
  const number =
    reasonOf(index) ??
    (Number.isNaN(low) ? "not recorded" : low === high ? write(low) : `${write(low)} … ${write(high)}`);
  // Which of several captures belongs to which isn't known.
  const within = isCompared() && low < high ? " within" : "";
  const nonfinite = matrix.nonfinite[at] !== 0 ? ", some elements are NaN or Inf" : "";
  const what = `${quantity.peek()} ${labelOf(statistic.peek())}${isCompared() ? " difference" : ""}${within}`;
  return {
    scope: name.slice(0, cut),
    name: name.slice(cut),
    value: `${what} ${number}${nonfinite}`,
    steps: stepsText(recorded, matrix.start[column], matrix.stop[column]),
  };
}

export function CellTip({ picture }: { readonly picture: MatrixPicture }): JSX.Element | null {
  const place = hovered.value ?? cursor.value;
  const byKeyboard = hovered.value === null && cursor.value !== null;
  const text = place === null ? null : cellText(picture, place, steps.value.data);
  const sentence = text === null ? "" : `${text.scope}${text.name}, ${text.value}, ${text.steps}`;
  useEffect(() => {
    if (byKeyboard && sentence !== "") announce(sentence);
  }, [byKeyboard, sentence]);
  if (place === null || text === null) return null;
  const { geometry } = picture;
  return (
    <Tip x={xOfStep(geometry, place.step)} y={yOfRow(geometry, place.row) + geometry.rowHeight / 2}>
      <div class="tip-path">
        <span class="dim">{text.scope}</span>
        <b>{text.name}</b>
      </div>
      <div>{text.value}</div>
      <div class="dim">{text.steps}</div>
    </Tip>
  );
}
