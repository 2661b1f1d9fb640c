/*
 * Trouble that the page survives: the server is away, a part of a run can't be read, captures were lost. The one invariant: a banner takes nothing
 * away; everything that is loaded stays usable below it.
 */

import "./states.css";
import type { ComponentChildren, JSX } from "preact";
import { useEffect, useState } from "preact/hooks";
import { formatClock, formatCount } from "../format";
import { connection, tryNow } from "../live";
import { graph, missedStep, snapshot, step, steps, summary } from "../state";
import type { Severity } from "../types";
import type { Step } from "../units";
import { IconButton } from "../widgets/controls";
import { SeverityIcon } from "../widgets/icons";
import { Prose } from "../widgets/prose";

export function Banners(): JSX.Element | null {
  if (connection.value.failures > 0) return <Disconnected />;
  // Until the list of steps is there, a snapshot may have been asked for at a step of the run that was on screen before.
  const failed = graph.value.error ?? steps.value.error ?? (steps.value.pending ? null : snapshot.value.error);
  if (failed !== null) {
    return (
      <Banner severity="error">
        <Prose text={failed.message} />
      </Banner>
    );
  }
  if (missedStep.value !== null) return <Missed wanted={missedStep.value} />;
  const problems = summary.value?.problems ?? [];
  return problems.length === 0 ? null : <Problems problems={problems} />;
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
  const seconds = useCountdown(nextTry);
  const last = summary.value?.last_step ?? null;
  return (
    <Banner
      severity="error"
      action={
        <button type="button" class="btn" onClick={tryNow}>
          Try now
        </button>
      }
    >
      <b>{message}</b>{" "}
      <span aria-hidden="true">
        Next try in {seconds} s (attempt {failures + 1}).
      </span>{" "}
      {loadedAt !== null && (
        <>
          What you see was loaded at {formatClock(loadedAt / 1000)}
          {last !== null && `, up to step ${formatCount(last)}`}, and stays usable.{" "}
        </>
      )}
      Is the <code>tensorboard</code> process still running?
    </Banner>
  );
}

/** Whole seconds until `moment`, counted down. */
function useCountdown(moment: number | null): number {
  const [now, setNow] = useState(Date.now());
  useEffect(() => {
    const timer = setInterval(() => setNow(Date.now()), 500);
    return () => clearInterval(timer);
  }, []);
  return moment === null ? 0 : Math.max(0, Math.ceil((moment - now) / 1000));
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
