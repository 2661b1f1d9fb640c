/*
 * The table of findings: what is wrong, where, since when, how that is known, what to do. The one invariant: rules that found nothing are
 * named too, with how much they looked at, so that silence can be told from not having looked.
 */

import "./findings.css";
import type { JSX } from "preact";
import { useCallback, useMemo } from "preact/hooks";
import { Picture } from "../charts/picture";
import { tableCsv } from "../export/csv";
import { download, runFile } from "../export/download";
import { formatCount, visibleName } from "../format";
import {
  compareFindings,
  compareIndexByName,
  compareSteps,
  findings,
  node,
  nodeIndexByName,
  run,
  step,
  steps,
  summaryOf,
} from "../state";
import { labelOf } from "../statistics";
import { goToFinding, goToNodeOf } from "../steps/jumps";
import type { Finding, Findings } from "../types";
import type { Paint } from "../widgets/canvas";
import { Select, TextButton } from "../widgets/controls";
import { Icon, SeverityIcon } from "../widgets/icons";
import { CodeBlock, Prose } from "../widgets/prose";
import { episodesOf } from "./episodes";
import type { Episodes, Found } from "./episodes";
import { lossScaleSeries, paintEvidence, seriesOf } from "./evidence";
import { everyFinding, ruleChoice, SEVERITY_CHOICES, severityChoice } from "./options";

/** What stands right of the tabs while findings are shown. */
export function FindingsTools(): JSX.Element {
  const all = findings.value.data?.findings ?? [];
  const theirs = compareFindings.value.data?.findings ?? [];
  const rules = new Map([...all, ...theirs].map((finding) => [finding.rule, finding.title]));
  return (
    <>
      <Select
        label="severity"
        value={severityChoice.value}
        options={SEVERITY_CHOICES}
        onChange={(value) => (severityChoice.value = value)}
      />
      <Select
        label="rule"
        value={ruleChoice.value}
        options={["all", ...[...rules].map(([value, label]) => ({ value, label }))]}
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
  download(runFile(["findings"], "csv"), tableCsv([CSV_COLUMNS, ...rows]));
}

/** Rows that are drawn at once; the rest when asked for. */
const ROWS = 100;

/** The button goes with that: what had the focus goes on at the first row that is new. */
function showAll(): void {
  everyFinding.value = true;
  setTimeout(() => document.querySelector<HTMLElement>(`.fd tr:nth-child(${ROWS + 1}) .lnk`)?.focus());
}

export function FindingsView(): JSX.Element {
  const { key, data, error } = findings.value;
  if (data === null || key === null) {
    return <p class="fd-note">{error === null ? "Looking for findings …" : <Prose text={error.message} />}</p>;
  }
  const theirs = compareFindings.value;
  const found = ({ run: name }: { run: string }, { findings: all, pending }: Findings): Found => ({
    run: name,
    pending,
    findings: all.filter(passes),
  });
  const told = new Set<string>();
  const shown = episodesOf(
    found(key, data),
    theirs.key === null || theirs.data === null ? null : found(theirs.key, theirs.data),
  );
  const limit = everyFinding.value ? Infinity : ROWS;
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
            {shown.slice(0, limit).map((row) => (
              <FindingRow key={`${row.run} ${row.id}`} row={row} folded={isTold(row.all[0], told)} />
            ))}
          </tbody>
        </table>
      )}
      {shown.length > limit && (
        <p class="fd-note">
          <TextButton onClick={showAll}>Show {formatCount(shown.length - limit)} more</TextButton>
        </p>
      )}
      <Quiet data={data} empty={shown.length === 0} />
    </div>
  );
}

function passes({ severity, rule }: Finding): boolean {
  return ["all", severity].includes(severityChoice.value) && ["all", rule].includes(ruleChoice.value);
}

function Quiet({ data, empty }: { readonly data: Findings; readonly empty: boolean }): JSX.Element {
  return (
    <p class="fd-note">
      {empty && (
        <b>
          {data.findings.length > 0
            ? "No finding passes the choice above. "
            : data.pending || data.checked_captures === 0
              ? ""
              : "Nothing found. "}
        </b>
      )}
      {data.pending && <>Still looking. </>}
      {data.quiet.length > 0 && (
        <>
          <b>{data.quiet.length === 1 ? "1 rule" : `${data.quiet.length} rules`} found nothing:</b>{" "}
          {data.quiet.map((rule) => rule.title).join(", ")}.{" "}
        </>
      )}
      Checked at {formatCount(data.checked_captures)} captures.
      {data.problems.length > 0 && (
        <>
          {" "}
          <b>Rules that could not be applied:</b> <Prose text={data.problems.join(" ")} />
        </>
      )}
    </p>
  );
}

/** Whether what to try stands at another row: at that of the cause, or at one before that has `told` it. */
function isTold({ remedy, consequence_of }: Finding, told: Set<string>): boolean {
  return consequence_of !== null || told.size === told.add(remedy).size;
}

/** Further episodes that a row names; it tells how many there are. */
const EPISODES = 6;

function FindingRow({ row, folded }: { readonly row: Episodes; readonly folded: boolean }): JSX.Element {
  const [finding, ...later] = row.all;
  const Remedy = folded ? "details" : "div";
  const own = row.run === run.value;
  return (
    <tr class={own && finding.node !== "" && finding.node === node.value ? "on" : ""}>
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
            <TextButton onClick={() => (own ? goToNodeOf(finding) : goToFinding(finding, row.run))}>
              <bdi>{visibleName(finding.node)}</bdi>
            </TextButton>
          )}
        </div>
        <div class="fd-small">
          <i class="dash" style={{ background: `var(--q-${finding.quantity})` }} />
          {finding.quantity} · {labelOf(finding.statistic)}
        </div>
        {row.where !== "" && <div class="fd-small">{row.where}</div>}
      </td>
      <td>
        <Since finding={finding} of={row.run} />
        {later.length > 0 && <div class="fd-small">{formatCount(later.length)} times more:</div>}
        {later.slice(0, EPISODES).map((each) => (
          <Since key={each.first_step} finding={each} of={row.run} />
        ))}
      </td>
      <td>
        <Evidence row={row} />
      </td>
      <td>
        <div class="dim">
          <Prose text={finding.sentence} />
        </div>
        {finding.consequence_of !== null && (
          <div class="dim">
            Likely a consequence of: <Consequence of={finding.consequence_of} row={row} />
          </div>
        )}
        <Remedy>
          {folded && <summary>What to do</summary>}
          <Prose text={finding.remedy} />
          {finding.code !== "" && <CodeBlock code={finding.code} />}
        </Remedy>
      </td>
    </tr>
  );
}

function Since({ finding, of }: { readonly finding: Finding; readonly of: string }): JSX.Element {
  return (
    <>
      <TextButton onClick={() => goToFinding(finding, of)}>{formatCount(finding.first_step)}</TextButton>
      <div class="fd-small">{until(finding)}</div>
    </>
  );
}

function until(finding: Finding): string {
  if (finding.last_step === null) return "still";
  if (finding.last_step === finding.first_step) return "1 capture";
  return `until ${formatCount(finding.last_step)}`;
}

/** `"<rule> at <node> since step <first step>"` with a way to the finding it names. */
function Consequence({ of, row }: { readonly of: string; readonly row: Episodes }): JSX.Element {
  const all = (row.run === run.value ? findings : compareFindings).value.data;
  const cause = all?.findings.find((each) => `${each.rule} at ${each.node} since step ${each.first_step}` === of);
  if (cause === undefined) return <>{of}</>;
  return (
    <TextButton onClick={() => goToFinding(cause, row.run)}>
      {cause.title} at <bdi>{visibleName(cause.node)}</bdi>
    </TextButton>
  );
}

function Evidence({ row }: { readonly row: Episodes }): JSX.Element | null {
  const { run: name, all } = row;
  const [finding] = all;
  const scale = finding.statistic === "loss_scale";
  const own = name === run.value;
  const recorded = (own ? steps : compareSteps).value.data;
  const matrix = useMemo(
    () => (scale && recorded !== null ? lossScaleSeries(recorded) : seriesOf(name, finding)),
    [scale, recorded, scale ? null : seriesOf(name, finding)],
  );
  const names = own ? nodeIndexByName.value : compareIndexByName.value;
  const index = scale ? 0 : (names.get(finding.node) ?? Infinity);
  const [at, last] = [step.value ?? 0, summaryOf(name)?.last_step ?? 0];
  const paint = useCallback<Paint>(
    (pen, area, palette) => {
      if (matrix === null || index >= matrix.nodes) return;
      const model = { matrix, node: index, quantity: finding.quantity, step: at, lastStep: last };
      paintEvidence(pen, area, palette, all, model);
    },
    [matrix, index, all, at, last],
  );
  if (matrix === null) return null;
  return (
    <button
      type="button"
      class="fd-picture"
      aria-label={`Go to step ${formatCount(finding.first_step)}${own ? "" : ` of ${name}`}`}
      onClick={() => goToFinding(finding, name)}
    >
      <Picture label={finding.title} base={paint} />
    </button>
  );
}
