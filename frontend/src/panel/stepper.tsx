/*
 * ‹ example 3 of 8 ›: one index of one axis. The one invariant: the index stays inside, and the words say where it is.
 */

import type { JSX } from "preact";
import { formatCount } from "../format";
import { IconButton } from "../widgets/controls";

export function Stepper({
  name,
  index,
  count,
  base = 0,
  stride = 1,
  keys = ["", ""],
  onChange,
}: {
  readonly name: string;
  readonly index: number;
  readonly count: number;
  /** How the first is called: examples are counted from 1, indices from 0. */
  readonly base?: 0 | 1;
  /** How far the next is from one in what is counted. */
  readonly stride?: number;
  /** Keys that do the same, for the tips. */
  readonly keys?: readonly [string, string];
  readonly onChange: (index: number) => void;
}): JSX.Element {
  const go = (to: number): void => onChange(Math.min(count - 1, Math.max(0, to)));
  const of = base === 1 ? `of ${formatCount(count)}` : `of 0…${formatCount((count - 1) * stride)}`;
  return (
    <span class="stepper" role="group" aria-label={name}>
      <IconButton
        icon="back"
        label={`Previous ${name} ${keys[0]}`.trim()}
        disabled={index <= 0}
        onClick={() => go(index - 1)}
      />
      <span class="stepper-text" aria-live="polite">
        {name} {formatCount(index * stride + base)} {of}
      </span>
      <IconButton
        icon="forward"
        label={`Next ${name} ${keys[1]}`.trim()}
        disabled={index >= count - 1}
        onClick={() => go(index + 1)}
      />
    </span>
  );
}
