/*
 * Signals for components: one that reads a signal while it renders is rendered again when the signal changes, and one that reads signals is left
 * alone when its parent renders it with the same properties. Every module gets this file by the name `@preact/signals` (see vite.config.ts).
 *
 * That package does this in the same way, and besides binds signals to text nodes and attributes, which nothing here uses: 1 kB of the page's
 * budget. The one invariant: names of one or two letters are those that the pinned versions of `preact` and `@preact/signals-core` give
 * to each other; `signals.test.ts` fails when a new version changes them.
 */

import { effect } from "@preact/signals-core";
import { Component, Fragment, options } from "preact";

export { batch, computed, effect, signal, untracked } from "@preact/signals-core";
export type { ReadonlySignal, Signal } from "@preact/signals-core";

/** An effect of `signals-core`. */
interface Updater {
  /** What it reads; undefined: nothing. */
  readonly s: unknown;
  /** Runs when something that it reads has changed. */
  c: () => void;
  /** Starts to note what is read; what it gives ends that. */
  readonly S: () => () => void;
  /** Disposes of it. */
  readonly d: () => void;
}

interface Tracked extends Component {
  updater?: Updater;
  /** Has a signal changed since it was rendered? */
  changed?: boolean;
  /** Has it state of its own, in hooks? */
  stateful?: boolean;
  /** Do its hooks decide by themselves whether its state changed? */
  readonly u?: unknown;
  readonly __f?: unknown;
}

interface Element {
  readonly type: unknown;
  /** Null in text. */
  readonly __c?: Tracked | null;
}

/** Puts `mine` in the place of a hook; it gets what was there first. */
function hook<P extends unknown[]>(
  name: string,
  mine: (old: (...parameters: P) => void, ...parameters: P) => void,
): void {
  const hooks = options as unknown as Record<string, ((...parameters: P) => void) | undefined>;
  hooks[name] = mine.bind(null, hooks[name] ?? ((): void => undefined));
}

let finish: (() => void) | undefined;

/** Ends the tracking of one component, and begins that of the next. */
function track(updater?: Updater): void {
  const ended = finish;
  finish = undefined;
  ended?.();
  finish = updater?.S();
}

function updaterOf(component: Tracked): Updater {
  const made: Updater[] = [];
  effect(function (this: unknown) {
    made.push(this as Updater);
  });
  const [updater] = made;
  updater.c = (): void => {
    component.changed = true;
    component.setState({});
  };
  return updater;
}

for (const name of ["__b", "__e", "diffed"]) {
  hook(name, (old, ...parameters) => {
    track();
    old(...parameters);
  });
}
// Hooks run the effects of the last rendering first: what those read is not tracked.
hook<[Element]>("__r", (old, element) => {
  old(element);
  if (element.type === Fragment) return;
  const component = element.__c ?? undefined;
  if (component !== undefined) component.changed = false;
  track(component && (component.updater ??= updaterOf(component)));
});
hook<[Element]>("unmount", (old, element) => {
  const component = element.__c ?? undefined;
  component?.updater?.d();
  if (component !== undefined) component.updater = undefined;
  old(element);
});
/** Hooks of state have the numbers 1 and 2; those of effects and references follow. */
hook<[Tracked, number, number]>("__h", (old, component, index, kind) => {
  if (kind < 3) component.stateful = true;
  old(component, index, kind);
});

Component.prototype.shouldComponentUpdate = function (this: Tracked, props: object): boolean {
  const reads = this.updater?.s !== undefined;
  const decides = Boolean(this.__f) || this.u === true;
  if (this.changed === true) return true;
  if (decides ? !reads && this.stateful !== true : !reads || this.stateful === true) return true;
  const [now, then] = [props, this.props] as Record<string, unknown>[];
  return Object.keys({ ...now, ...then }).some((name) => now[name] !== then[name]);
};
