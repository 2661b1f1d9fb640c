/*
 * Trouble that the page survives: the server is away, a part of a run can't be read, captures were lost. The one invariant: a banner takes nothing
 * away; everything that is loaded stays usable below it.
 */

import "./states.css";
import { signal } from "@preact/signals";
import type { ComponentChildren, JSX } from "preact";
import { formatClock, formatCount } from "../format";
import { connection, tryNow } from "../live";
import { retryFailed } from "../resource";
import { compareGraph, compareSnapshot, graph, missedStep, snapshot, step, steps, summary } from "../state";
import type { Severity } from "../types";
import type { Step } from "../units";
import { IconButton } from "../widgets/controls";
import { SeverityIcon } from "../widgets/icons";
import { useNow } from "../widgets/now";
import { Prose } from "../widgets/prose";

export function Banners(): JSX.Element | null {
  if (connection.value.failures > 0) return <Disconnected />;
  // Until the list of steps is there, a snapshot may have been asked for at a step of the run that was on screen before.
  const failed =
    graph.value.error ??
    steps.value.error ??
    compareGraph.value.error ??
    (steps.value.pending ? null : (snapshot.value.error ?? compareSnapshot.value.error));
  if (failed !== null) {
    return (
      <Banner severity="error" action={<Again onClick={retryFailed} />}>
        <Prose text={failed.message} />
      </Banner>
    );
  }
  if (missedStep.value !== null) return <Missed wanted={missedStep.value} />;
  const problems = summary.value?.problems ?? [];
  if (problems.length > 0) return <Problems problems={problems} />;
  return lossShown.value ? <Loss /> : null;
}

/** Does the page say which captures were lost? The strip of steps asks for it. */
export const lossShown = signal(false);

function Loss(): JSX.Element | null {
  const dropped = steps.value.data?.dropped ?? new Float64Array();
  if (dropped.length === 0) return null;
  const [first, last] = [dropped[0], dropped[dropped.length - 1]];
  const words =
    first === last
      ? `1 capture (step ${formatCount(first)}) was`
      : `${formatCount(dropped.length)} captures (steps ${formatCount(first)} to ${formatCount(last)}) were`;
  const close = (): void => void (lossShown.value = false);
  return (
    <Banner severity="note" action={<IconButton icon="close" label="Close" onClick={close} />}>
      {words} dropped: the writer's queue was full. Training wasn't affected.
    </Banner>
  );
}

function Again({ onClick }: { readonly onClick: () => void }): JSX.Element {
  return (
    <button type="button" class="btn" onClick={onClick}>
      Try now
    </button>
  );
}

function Banner({
  severity,
  action,
  children,
}: {
  readonly severity: Severity;
  readonly action?: JSX.Element;
  readonly children: ComponentChildren;
}): JSX.Element {
  return (
    <div class={`banner ${severity}`} role={severity === "error" ? "alert" : "status"}>
      <SeverityIcon severity={severity} size={16} />
      <span class="grow">{children}</span>
      {action}
    </div>
  );
}

/** The address named a step that isn't there. Going to any other step takes the words away. */
function Missed({ wanted }: { readonly wanted: Step }): JSX.Element {
  const close = (): void => void (missedStep.value = null);
  return (
    <Banner severity="note" action={<IconButton icon="close" label="Close" onClick={close} />}>
      Step {formatCount(wanted)} of the address isn't recorded. You see step {formatCount(step.value)}, the nearest one.
    </Banner>
  );
}

function Disconnected(): JSX.Element {
  const { failures, loadedAt, nextTry, message } = connection.value;
  const seconds = Math.max(0, Math.ceil(((nextTry ?? 0) - useNow()) / 1000));
  const last = summary.value?.last_step ?? null;
  return (
    <Banner severity="error" action={<Again onClick={tryNow} />}>
      <b>{message}</b>{" "}
      <span aria-hidden="true">
        Next try in {seconds} s (attempt {failures + 1}).
      </span>{" "}
      {loadedAt !== null && (
        <>
          What you see was loaded at {formatClock(loadedAt / 1000)}
          {last !== null && `, up to step ${formatCount(last)}`}, and stays usable.
        </>
      )}
    </Banner>
  );
}

function Problems({ problems }: { readonly problems: readonly string[] }): JSX.Element {
  return (
    <Banner severity="warning">
      <b>A part of this run can't be read.</b> <Prose text={problems[0]} />
      {problems.length > 1 && (
        <details>
          <summary>{problems.length - 1} more</summary>
          <ul>
            {problems.slice(1).map((each) => (
              <li key={each}>{each}</li>
            ))}
          </ul>
        </details>
      )}
    </Banner>
  );
}
