/*
 * A view whose code is fetched when it is first shown (or before, by `preload`), so that the list is there sooner. The one invariant: what
 * fails to load says so in its place and can be tried again; the rest of the page goes on.
 */

import { signal } from "@preact/signals";
import type { ComponentType, JSX } from "preact";
import { useEffect } from "preact/hooks";
import { TextButton } from "../widgets/controls";

export interface LazyView<P extends object> {
  readonly View: (props: P) => JSX.Element;
  /** Fetches the code; nothing happens when it is there or on its way. */
  readonly preload: () => void;
}

export function lazy<P extends object>(
  load: () => Promise<ComponentType<P>>,
  placeholder: JSX.Element | null = <p class="no-node">Loading …</p>,
): LazyView<P> {
  const loaded = signal<{ readonly component: ComponentType<P> } | null>(null);
  const failed = signal(false);
  let under: Promise<void> | null = null;
  const preload = (): void => {
    under ??= load().then(
      (component) => {
        loaded.value = { component };
      },
      () => {
        under = null;
        failed.value = true;
      },
    );
  };
  const retry = (): void => {
    failed.value = false;
    preload();
  };
  const View = (props: P): JSX.Element => {
    useEffect(preload, []);
    if (loaded.value !== null) {
      const Loaded = loaded.value.component;
      return <Loaded {...props} />;
    }
    if (!failed.value) return <>{placeholder}</>;
    return (
      <p class="no-node">
        This part could not be loaded. <TextButton onClick={retry}>Try again</TextButton>
      </p>
    );
  };
  return { View, preload };
}
