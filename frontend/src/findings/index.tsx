/*
 * The table of findings: what is wrong, where, since when, how that is known, what to do. The one invariant: rules that found nothing are
 * named too, with how much they looked at, so that silence can be told from not having looked.
 */

import "./findings.css";
import { signal } from "@preact/signals";
import type { JSX } from "preact";
import { useCallback } from "preact/hooks";
import { fetchStatistics } from "../api";
import { Picture } from "../charts/picture";
import { tableCsv } from "../export/csv";
import { download, fileName } from "../export/download";
import { formatCount } from "../format";
import { bySeverity } from "../nodes/filter";
import { useResource } from "../resource";
import { findings, graph, node, run, selectNode, selectStep, setQuantity, steps, summary, version } from "../state";
import { labelOf } from "../statistics";
import { goToFinding } from "../steps/jumps";
import { SEVERITIES } from "../types";
import type { Finding, Findings, Severity } from "../types";
import type { Paint } from "../widgets/canvas";
import { Select, TextButton } from "../widgets/controls";
import { Icon, SeverityIcon } from "../widgets/icons";
import { CodeBlock, Prose } from "../widgets/prose";
import { paintEvidence, seriesOf } from "./evidence";

const severityChoice = signal<Severity | "all">("all");
const ruleChoice = signal("all");

/** What stands right of the tabs while findings are shown. */
export function FindingsTools(): JSX.Element {
  const all = findings.value.data?.findings ?? [];
  const rules = new Map(all.map((finding) => [finding.rule, finding.title]));
  return (
    <>
      <Select
        label="severity"
        value={severityChoice.value}
        options={(["all", ...SEVERITIES] as const).map((value) => ({ value }))}
        onChange={(value) => (severityChoice.value = value)}
      />
      <Select
        label="rule"
        value={ruleChoice.value}
        options={[{ value: "all" }, ...[...rules].map(([value, label]) => ({ value, label }))]}
        onChange={(value) => (ruleChoice.value = value)}
      />
      <button type="button" class="btn ghost" disabled={all.length === 0} onClick={() => downloadCsv(all)}>
        <Icon name="download" /> .csv
      </button>
    </>
  );
}

const CSV_COLUMNS = [
  "severity",
  "rule",
  "title",
  "node",
  "quantity",
  "statistic",
  "first_step",
  "last_step",
  "sentence",
  "remedy",
  "consequence_of",
] as const;

function downloadCsv(all: readonly Finding[]): void {
  const rows = all.map((finding) => CSV_COLUMNS.map((column) => String(finding[column] ?? "")));
  download(
    fileName([run.peek() ?? "", "findings"], "csv"),
    new Blob([tableCsv([CSV_COLUMNS, ...rows])], { type: "text/csv" }),
  );
}

export function FindingsView(): JSX.Element {
  const { data, error } = findings.value;
  if (data === null) {
    return <p class="fd-note">{error === null ? "Looking for findings …" : <Prose text={error.message} />}</p>;
  }
  const shown = data.findings
    .filter((finding) => severityChoice.value === "all" || finding.severity === severityChoice.value)
    .filter((finding) => ruleChoice.value === "all" || finding.rule === ruleChoice.value);
  return (
    <div class="fd" tabIndex={0} role="region" aria-label="Findings">
      {shown.length > 0 && (
        <table>
          <colgroup>
            <col class="fd-severity" />
            <col class="fd-rule" />
            <col class="fd-since" />
            <col class="fd-evidence" />
            <col />
          </colgroup>
          <thead>
            <tr>
              {["severity", "rule and node", "since step", "evidence", "what was seen, what to do"].map((title) => (
                <th key={title} scope="col">
                  {title}
                </th>
              ))}
            </tr>
          </thead>
          <tbody>
            {[...shown].sort(bySeverity).map((finding) => (
              <FindingRow
                key={`${finding.rule} ${finding.node} ${finding.quantity} ${finding.first_step}`}
                finding={finding}
              />
            ))}
          </tbody>
        </table>
      )}
      <Quiet data={data} empty={shown.length === 0} />
    </div>
  );
}

function Quiet({ data, empty }: { readonly data: Findings; readonly empty: boolean }): JSX.Element {
  const hidden = data.findings.length > 0;
  const checked = `Checked at ${formatCount(data.checked_captures)} captures.`;
  return (
    <p class="fd-note">
      {empty && <b>{hidden ? "No finding passes the choice above. " : data.pending ? "" : "Nothing found. "}</b>}
      {data.pending && <>Still looking. </>}
      {data.quiet.length > 0 && (
        <>
          <b>{data.quiet.length === 1 ? "1 rule" : `${data.quiet.length} rules`} found nothing:</b>{" "}
          {data.quiet.map((rule) => rule.title).join(", ")}.{" "}
        </>
      )}
      {checked}
    </p>
  );
}

function FindingRow({ finding }: { readonly finding: Finding }): JSX.Element {
  return (
    <tr class={finding.node !== "" && finding.node === node.value ? "on" : ""}>
      <td>
        <span class={`sev sev-${finding.severity}`}>
          <SeverityIcon severity={finding.severity} /> {finding.severity}
        </span>
      </td>
      <td>
        <b>{finding.title}</b>
        <div class="fd-node">
          {finding.node === "" ? (
            <span class="dim">whole run</span>
          ) : (
            <TextButton onClick={() => goToNode(finding)}>
              <bdi>{finding.node}</bdi>
            </TextButton>
          )}
        </div>
        <div class="fd-small">
          <i class="dash" style={{ background: `var(--q-${finding.quantity})` }} />
          {finding.quantity} · {labelOf(finding.statistic)}
        </div>
      </td>
      <td>
        <TextButton onClick={() => goToFinding(finding)}>{formatCount(finding.first_step)}</TextButton>
        <div class="fd-small">{until(finding)}</div>
      </td>
      <td>{finding.node !== "" && <Evidence finding={finding} />}</td>
      <td>
        <div class="dim">
          <Prose text={finding.sentence} />
        </div>
        {finding.consequence_of !== null && (
          <div class="dim">
            Likely a consequence of: <Consequence of={finding.consequence_of} />.
          </div>
        )}
        <div>
          <Prose text={finding.remedy} />
        </div>
        {finding.code !== "" && <CodeBlock code={finding.code} />}
      </td>
    </tr>
  );
}

function until(finding: Finding): string {
  if (finding.last_step === null) return "still";
  if (finding.last_step === finding.first_step) return "1 capture";
  return `until ${formatCount(finding.last_step)}`;
}

function goToNode(finding: Finding): void {
  setQuantity(finding.quantity);
  selectNode(finding.node);
}

/** `"<rule> at <node>"` with a way to the finding it names. */
function Consequence({ of }: { readonly of: string }): JSX.Element {
  const cause = findings.value.data?.findings.find((each) => `${each.rule} at ${each.node}` === of);
  if (cause === undefined) return <>{of}</>;
  return (
    <TextButton onClick={() => goToFinding(cause)}>
      {cause.title} at <bdi>{cause.node}</bdi>
    </TextButton>
  );
}

function Evidence({ finding }: { readonly finding: Finding }): JSX.Element {
  const name = run.value;
  const key = name === null ? null : { run: name, node: finding.node, quantity: finding.quantity, v: version.value };
  const { data } = useResource(key, fetchStatistics, {
    retain: (a, b) => a.run === b.run && a.node === b.node && a.quantity === b.quantity,
  });
  const known = graph.value.data;
  const lastStep = summary.value?.last_step ?? 0;
  const paint = useCallback<Paint>(
    (pen, area, palette) => {
      if (data === null || known === null) return;
      const series = seriesOf(data, known, finding.statistic);
      paintEvidence(pen, area, palette, { finding, step: data.step, series, lastStep });
    },
    [data, known, finding, lastStep],
  );
  const label = `${labelOf(finding.statistic)} of the ${finding.quantity} of ${finding.node} over ${formatCount(steps.value.data?.step.length)} captures`;
  return (
    <button
      type="button"
      class="fd-picture"
      aria-label={`Go to step ${formatCount(finding.first_step)}`}
      onClick={() => {
        selectNode(finding.node);
        selectStep(finding.first_step);
      }}
    >
      <Picture label={label} base={paint} />
    </button>
  );
}
