/*
 * The TensorFlow operations of the step: too many to stand among the nodes, so they are searched. The one invariant: the server searches, and says
 * how many it found; what is shown is the beginning of that.
 */

import type { JSX } from "preact";
import { fetchOperations } from "../api";
import { formatCount, formatShape, visibleName } from "../format";
import { resource } from "../resource";
import { graphKey, run, sameRun } from "../state";
import type { Operation, Operations } from "../types";
import { Dialog } from "../widgets/dialog";
import { CodeBlock } from "../widgets/prose";
import { operationsOpen, operationsText } from "./operations";

const answer = resource(
  () => {
    const key = operationsOpen.value ? graphKey(run.value) : null;
    return key === null ? null : { ...key, text: operationsText.value.trim() };
  },
  (key, abort) => fetchOperations(key.run, key.text, abort),
  { retain: sameRun },
);

export function OperationsDialog(): JSX.Element {
  const { data, error } = answer.value;
  return (
    <Dialog title="Operations of the step" open={operationsOpen} wide>
      <input
        class="op-text"
        aria-label="Name or type"
        placeholder="Name or type"
        value={operationsText.value}
        onInput={(event) => (operationsText.value = event.currentTarget.value)}
      />
      <div role="status">{error?.message ?? (data === null ? "Loading …" : said(data))}</div>
      {data !== null && data.found > 0 && (
        <>
          <CodeBlock
            code={`ActivationsCallback(log_dir, ops=[r"(?i)${pattern(operationsText.value.trim())}"])  # records these`}
          />
          <Table operations={data.operations} />
        </>
      )}
    </Dialog>
  );
}

function said({ total, found, operations }: Operations): string {
  if (total === 0) return "None: the step runs eagerly.";
  const shown = operations.length < found ? `, the first ${formatCount(operations.length)}` : "";
  return `${formatCount(found)} of ${formatCount(total)}${shown}`;
}

const pattern = (words: string): string => words.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");

function Table({ operations }: { readonly operations: readonly Operation[] }): JSX.Element {
  return (
    <table class="op-table">
      <thead>
        <tr>
          {["operation", "type", "output", "reads", "made at"].map((head) => (
            <th key={head}>{head}</th>
          ))}
        </tr>
      </thead>
      <tbody>
        {operations.map(({ name, type, dtype, shape, inputs, source }) => (
          <tr key={name}>
            <td>
              <bdi>{visibleName(name)}</bdi>
            </td>
            <td>{type}</td>
            <td>{dtype !== null && formatShape(dtype, shape)}</td>
            <td>
              <bdi>{inputs.map(visibleName).join(", ")}</bdi>
            </td>
            <td>{source !== null && `${source.file}:${source.line}`}</td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}
