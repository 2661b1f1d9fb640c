/*
 * A button that opens a list of check boxes. Escape and a click outside close it. The one invariant: while it is closed nothing of it takes focus.
 */

import type { JSX } from "preact";
import { Icon } from "../widgets/icons";
import { Popover } from "./popover";

export function CheckMenu({
  name,
  options,
  chosen,
  onChange,
}: {
  readonly name: string;
  readonly options: readonly { readonly id: string; readonly label: string }[];
  readonly chosen: ReadonlySet<string>;
  readonly onChange: (chosen: ReadonlySet<string>) => void;
}): JSX.Element {
  const toggle = (option: string): void => {
    const next = new Set(chosen);
    if (!next.delete(option)) next.add(option);
    onChange(next);
  };
  return (
    <Popover label={name} button={<Icon name="columns" />}>
      <fieldset class="check-list">
        <legend class="sr">{name}</legend>
        {options.map((option) => (
          <label key={option.id}>
            <input type="checkbox" checked={chosen.has(option.id)} onChange={() => toggle(option.id)} />
            {option.label}
          </label>
        ))}
      </fieldset>
    </Popover>
  );
}
