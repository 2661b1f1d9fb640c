/*
 * The controls that every view uses. Native elements in our clothes: the browser brings keyboard, screen reader and
 * touch behaviour. The one invariant: a control always has an accessible name.
 */

import type { ComponentChildren, JSX } from "preact";
import { Icon } from "./icons";
import type { IconName } from "./icons";

export interface Option<T extends string> {
  readonly value: T;
  /** Shown; the value itself without one. */
  readonly label?: string;
  readonly disabled?: boolean;
}

/** A native select. `label` stands before the value in the same outline; `name` is read instead where there is no room for it. */
export function Select<T extends string>({
  label,
  name,
  value,
  options,
  onChange,
  className = "",
}: {
  readonly label?: string;
  readonly name?: string;
  readonly value: T;
  readonly options: readonly (Option<T> | T)[];
  readonly onChange: (value: T) => void;
  readonly className?: string;
}): JSX.Element {
  const all = options.map((option) => (typeof option === "string" ? { value: option } : option));
  return (
    <label class={`sel ${className}`}>
      {label !== undefined && <span>{label}</span>}
      <select
        aria-label={name}
        value={value}
        title={all.find((option) => option.value === value)?.label ?? value}
        onChange={(event) => onChange(event.currentTarget.value as T)}
      >
        {all.map((option) => (
          <option key={option.value} value={option.value} disabled={option.disabled}>
            {option.label ?? option.value}
          </option>
        ))}
      </select>
    </label>
  );
}

/** A button that shows an icon only; `label` is its name and its tip. `pressed` makes it a toggle. */
export function IconButton({
  icon,
  label,
  onClick,
  pressed,
  disabled = false,
  className = "ghost",
}: {
  readonly icon: IconName;
  readonly label: string;
  readonly onClick: () => void;
  readonly pressed?: boolean;
  readonly disabled?: boolean;
  readonly className?: string;
}): JSX.Element {
  return (
    <button
      type="button"
      class={`btn ico ${className} ${pressed === true ? "on" : ""}`}
      aria-label={label}
      aria-pressed={pressed}
      title={label}
      disabled={disabled}
      onClick={onClick}
    >
      <Icon name={icon} />
    </button>
  );
}

/** A link that acts inside the page: looks like a link, is a button. */
export function TextButton({
  onClick,
  children,
  title,
}: {
  readonly onClick: () => void;
  readonly children: ComponentChildren;
  readonly title?: string;
}): JSX.Element {
  return (
    <button type="button" class="lnk" title={title} onClick={onClick}>
      {children}
    </button>
  );
}
