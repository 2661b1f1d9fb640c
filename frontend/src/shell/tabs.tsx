/*
 * The tabs above the upper view, after the tabs pattern of the ARIA Authoring Practices: one stop for Tab, arrows move and choose. What belongs to
 * the chosen view stands at the right.
 */

import type { ComponentChildren, JSX } from "preact";
import { useRef } from "preact/hooks";

export interface TabOption<T extends string> {
  readonly value: T;
  readonly label: string;
  /** A number behind the label. */
  readonly count?: number;
}

export const tabId = (value: string): string => `tab-${value}`;

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
  const list = useRef<HTMLDivElement>(null);
  const onKeyDown = (event: KeyboardEvent): void => {
    const at = options.findIndex((option) => option.value === value);
    const targets: Readonly<Record<string, number>> = {
      ArrowLeft: at - 1,
      ArrowRight: at + 1,
      Home: 0,
      End: options.length - 1,
    };
    const target = options.at((targets[event.key] ?? NaN) % options.length);
    if (targets[event.key] === undefined || target === undefined) return;
    event.preventDefault();
    onChange(target.value);
    list.current?.querySelector<HTMLElement>(`#${tabId(target.value)}`)?.focus();
  };
  return (
    <div class="tabs">
      <div class="tab-list" role="tablist" aria-label={name} ref={list} onKeyDown={onKeyDown}>
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
