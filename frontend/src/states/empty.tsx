/*
 * What stands in place of the dashboard when there is nothing to show: no run yet, a run that is gone, or the first answer still on its way.
 * The one invariant: it says what to do next, with code that runs, and needs no reload when the first values arrive.
 */

import "./states.css";
import type { JSX } from "preact";
import { connection, tryNow } from "../live";
import { logdir, problem, run, runs, selectRun } from "../state";
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
        <p>
          It may have been renamed or deleted, or this TensorBoard shows another log directory. These runs have
          activations:
        </p>
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

function fitCode(folder: string): string {
  return `import tb_activations as tba

model.fit(
    x, y, epochs=10,
    callbacks=[tba.ActivationsCallback(${folder}, every=100)],
)`;
}

function loopCode(folder: string): string {
  return `train_step = tba.watch(
    train_step, model=model,
    log_dir=${folder}, every=100,
)

for batch in dataset:
    loss = train_step(batch)  # call it as before`;
}

export function Empty(): JSX.Element {
  const root = logdir.value === "" ? "logs" : logdir.value;
  const folder = JSON.stringify(`${root.replace(/[/\\]$/, "")}/run1`);
  return (
    <main class="empty">
      <div>
        <h1>No activations recorded yet</h1>
        {problem.value !== null && (
          <p class="problem">
            <Prose text={problem.value} />
          </p>
        )}
        <p>
          Add one callback to <code>fit</code>. The first values appear here a few seconds after training starts; this
          page needs no reload.
        </p>
        <h2>With model.fit</h2>
        <CodeBlock code={fitCode(folder)} added={[4]} />
        <h2>With your own training loop</h2>
        <CodeBlock code={loopCode(folder)} added={[0, 1, 2, 3]} />
      </div>
      <Where />
    </main>
  );
}

function Where(): JSX.Element {
  return (
    <section>
      <h2>Where TensorBoard looks</h2>
      <p>
        {logdir.value !== "" && (
          <>
            No run below <code>{logdir.value}</code> has activations.{" "}
          </>
        )}
        Start TensorBoard with a folder above the one you gave as <code>log_dir</code>:
      </p>
      <CodeBlock code="tensorboard --logdir logs" />
    </section>
  );
}
