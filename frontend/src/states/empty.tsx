/*
 * What stands in place of the dashboard when there is nothing to show: no run yet, a run that is gone, or the first answer still on its way.
 * The one invariant: it says what to do next, with code that runs, and needs no reload when the first values arrive.
 */

import "./states.css";
import type { JSX } from "preact";
import { connection, tryNow } from "../live";
import { run, runs, selectRun } from "../state";
import type { Runs } from "../types";
import { TextButton } from "../widgets/controls";
import { CodeBlock, Prose } from "../widgets/prose";

export function Loading(): JSX.Element {
  const { failures, message } = connection.value;
  return (
    <main class="empty">
      <div>
        <h1>{failures > 0 ? message : "Looking for activations …"}</h1>
        {failures > 0 && (
          <p>
            The page tries again by itself. <TextButton onClick={tryNow}>Try now</TextButton>
          </p>
        )}
      </div>
    </main>
  );
}

/** A deep link may name a run that is not (or not yet) in this log directory. */
export function MissingRun(): JSX.Element {
  return (
    <main class="empty">
      <div>
        <h1>
          There is no run <bdi>{run.value}</bdi> here
        </h1>
        <p>It was renamed or deleted, or this is another log directory. Runs with activations:</p>
        <ul class="plain">
          {(runs.value ?? []).map((each) => (
            <li key={each.run}>
              <TextButton onClick={() => selectRun(each.run)}>
                <bdi>{each.run}</bdi>
              </TextButton>
            </li>
          ))}
        </ul>
      </div>
    </main>
  );
}

export function Empty({ listing: { logdir, problem, first_steps: code } }: { readonly listing: Runs }): JSX.Element {
  return (
    <main class="empty">
      <div>
        <h1>No activations recorded yet</h1>
        {problem !== null && (
          <p class="problem">
            <Prose text={problem} />
          </p>
        )}
        <p>
          Add one callback to <code>fit</code>. The first values appear a few seconds after training starts.
        </p>
        <h2>With model.fit</h2>
        <CodeBlock code={code?.fit ?? ""} added={[4]} />
        <h2>With your own training loop</h2>
        <CodeBlock code={code?.loop ?? ""} added={[0, 1, 2, 3]} />
      </div>
      <Where logdir={logdir} />
    </main>
  );
}

function Where({ logdir }: { readonly logdir: string }): JSX.Element {
  return (
    <section>
      <h2>Where TensorBoard looks</h2>
      <p>
        {logdir !== "" && (
          <>
            No run below <code>{logdir}</code> has activations.{" "}
          </>
        )}
        Start TensorBoard with a folder above your <code>log_dir</code>:
      </p>
      <CodeBlock code="tensorboard --logdir logs" />
    </section>
  );
}
