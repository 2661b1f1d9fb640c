/*
 * The tabs above the upper view, after the tabs pattern of the ARIA Authoring Practices: one stop for Tab, arrows move and choose. What belongs to
 * the chosen view stands at the right.
 */

import type { ComponentChildren, JSX } from "preact";

export interface TabOption<T extends string> {
  readonly value: T;
  readonly label: string;
  /** A number behind the label. */
  readonly count?: number;
}

export const tabId = (value: string): string => `tab-${value}`;

/** Arrows, Home and End choose among tabs, and take the focus along. */
export function chooseTab<T extends string>(
  event: KeyboardEvent,
  values: readonly T[],
  value: T,
  onChange: (value: T) => void,
): void {
  const at = values.indexOf(value);
  const targets: Readonly<Record<string, number>> = { ArrowLeft: at - 1, ArrowRight: at + 1, Home: 0, End: -1 };
  if (!(event.key in targets)) return;
  event.preventDefault();
  const target = values.at(targets[event.key] % values.length) ?? value;
  onChange(target);
  document.getElementById(tabId(target))?.focus();
}

export function Tabs<T extends string>({
  name,
  value,
  options,
  controls,
  onChange,
  children,
}: {
  readonly name: string;
  readonly value: T;
  readonly options: readonly TabOption<T>[];
  /** Id of the panel that the tabs fill. */
  readonly controls: string;
  readonly onChange: (value: T) => void;
  readonly children?: ComponentChildren;
}): JSX.Element {
  const values = options.map((option) => option.value);
  return (
    <div class="tabs">
      <div
        class="tab-list"
        role="tablist"
        aria-label={name}
        onKeyDown={(event) => chooseTab(event, values, value, onChange)}
      >
        {options.map((option) => (
          <button
            key={option.value}
            id={tabId(option.value)}
            type="button"
            class={`tab ${option.value === value ? "on" : ""}`}
            role="tab"
            aria-selected={option.value === value}
            aria-controls={controls}
            tabIndex={option.value === value ? 0 : -1}
            onClick={() => onChange(option.value)}
          >
            {option.label}
            {option.count !== undefined && option.count > 0 && <span class="pill">{option.count}</span>}
          </button>
        ))}
      </div>
      <span class="grow" />
      <div class="tool">{children}</div>
    </div>
  );
}
