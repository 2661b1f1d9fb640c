/*
 * The top bar: which run, compared with which, which nodes, and how things stand. The one invariant: everything in it is about the whole page.
 */

import { batch, effect, untracked } from "@preact/signals";
import type { JSX } from "preact";
import { useEffect, useRef } from "preact/hooks";
import { Popover } from "../charts/popover";
import { formatAge, formatCount } from "../format";
import { addShortcuts } from "../keys";
import { connection } from "../live";
import { comparing } from "../nodes/columns";
import {
  findingFilter,
  findingsByNode,
  kindFilter,
  matcher,
  search,
  searchIsRegex,
  stateFilter,
} from "../nodes/filter";
import type { FindingChoice } from "../nodes/filter";
import { orderByDifference } from "../nodes/model";
import { standBeside } from "../panel/state";
import {
  compareRun,
  compareStep,
  comparedStep,
  findings,
  newCaptures,
  run,
  runs,
  selectRun,
  setCompareRun,
  setCompareStep,
  setLive,
  step,
  summary,
} from "../state";
import { KINDS, SEVERITIES, STATES } from "../types";
import type { Seconds } from "../units";
import { IconButton, Select } from "../widgets/controls";
import { Icon, SeverityIcon } from "../widgets/icons";
import { useNow } from "../widgets/now";
import { openHelp } from "./help";
import { showView } from "./layout";

export function TopBar({ narrow }: { readonly narrow: boolean }): JSX.Element {
  const some = (runs.value ?? []).length > 0;
  return (
    <header class="top">
      {summary.value !== null && <h1 class="sr">Activations</h1>}
      <RunSelect />
      {some && (
        <>
          {!narrow && <CompareSelect />}
          <Search />
          {narrow ? (
            <Popover label="Compare and filter" button="…" className="more">
              <CompareSelect />
              <Filters />
            </Popover>
          ) : (
            <Filters />
          )}
        </>
      )}
      <span class="grow" />
      <LiveMark />
      {some && <FindingsButton />}
      <button
        type="button"
        class="btn ico ghost"
        aria-label="Keys and help (?)"
        title="Keys and help (?)"
        onClick={openHelp}
      >
        ?
      </button>
    </header>
  );
}

function RunSelect(): JSX.Element {
  const all = runs.value ?? [];
  const chosen = run.value ?? "";
  const missing = chosen !== "" && summary.value === null ? [{ value: chosen, label: `${chosen} (not here)` }] : [];
  const none = all.length === 0 && missing.length === 0 ? [{ value: "", label: "none yet" }] : [];
  return (
    <Select
      label="Run"
      className="run"
      value={chosen}
      options={[...none, ...missing, ...all.map((each) => each.run)]}
      onChange={selectRun}
    />
  );
}

const THIS_STEP = "step:here";
const KEPT_STEP = "step:kept";

// Also where another run was chosen, and nothing is compared by that.
effect(() => {
  if (!comparing.value) untracked(() => (orderByDifference(false), standBeside(false)));
});

/** A second run, or the step that is on screen now, to stand beside what is chosen next. */
function CompareSelect(): JSX.Element {
  const names = new Set([...(runs.value ?? []).map((each) => each.run), compareRun.value ?? ""]);
  const others = [...names].filter((each) => each !== "" && each !== run.value).map((each) => `run:${each}`);
  const value = compareRun.value !== null ? `run:${compareRun.value}` : compareStep.value !== null ? KEPT_STEP : "none";
  const options = [
    "none",
    ...(compareStep.value === null ? [] : [{ value: KEPT_STEP, label: `step ${formatCount(comparedStep.value)}` }]),
    ...(step.value === null ? [] : [{ value: THIS_STEP, label: "this step" }]),
    ...others.map((each) => ({ value: each, label: each.slice("run:".length) })),
  ];
  return (
    <Select
      label="Compare"
      className="run"
      value={value}
      options={options}
      onChange={(chosen) => {
        const other = chosen.startsWith("run:");
        batch(() => {
          setCompareRun(other ? chosen.slice("run:".length) : null);
          if (chosen === THIS_STEP) setCompareStep(step.peek());
          orderByDifference(comparing.peek());
          standBeside(comparing.peek());
        });
      }}
    />
  );
}

function Search(): JSX.Element {
  const input = useRef<HTMLInputElement>(null);
  const { error } = matcher.value;
  useEffect(() => addShortcuts([{ keys: ["/"], does: "Search nodes", run: () => input.current?.focus() }]), []);
  const onKeyDown = (event: KeyboardEvent): void => {
    if (event.key !== "Escape") return;
    if (search.peek() === "") input.current?.blur();
    else search.value = "";
    event.preventDefault();
  };
  return (
    <div class={`inp search ${error === null ? "" : "wrong"}`}>
      <Icon name="search" />
      <input
        ref={input}
        type="text"
        placeholder="Search nodes"
        aria-label="Search nodes"
        aria-invalid={error !== null}
        spellcheck={false}
        autocomplete="off"
        title={error ?? undefined}
        value={search.value}
        onInput={(event) => (search.value = event.currentTarget.value)}
        onKeyDown={onKeyDown}
      />
      {search.value === "" ? (
        <kbd aria-hidden="true">/</kbd>
      ) : (
        <IconButton
          icon="close"
          label="Clear the search"
          className="ghost small"
          onClick={() => {
            search.value = "";
            input.current?.focus();
          }}
        />
      )}
      <button
        type="button"
        class={`btn small mono ${searchIsRegex.value ? "on" : "ghost"}`}
        aria-label="Regular expression"
        aria-pressed={searchIsRegex.value}
        title="Regular expression"
        onClick={() => (searchIsRegex.value = !searchIsRegex.peek())}
      >
        .*
      </button>
    </div>
  );
}

function Filters(): JSX.Element {
  return (
    <>
      <Select
        label="State"
        value={stateFilter.value}
        options={["all", ...STATES]}
        onChange={(value) => (stateFilter.value = value)}
      />
      <Select
        label="Kind"
        value={kindFilter.value}
        options={["all", ...KINDS]}
        onChange={(value) => (kindFilter.value = value)}
      />
      {findingsByNode.value.size > 0 && (
        <Select<FindingChoice>
          label="Finding"
          value={findingFilter.value}
          options={["all", "any", ...SEVERITIES]}
          onChange={(value) => (findingFilter.value = value)}
        />
      )}
    </>
  );
}

/** Captures older than this are of a training that has ended, or that stands still. */
const FRESH: Seconds = 90;

function LiveMark(): JSX.Element {
  const now = useNow();
  if (connection.value.failures > 0) {
    return (
      <span class="live away">
        <i /> not connected
      </span>
    );
  }
  const last = summary.value?.last_wall_time ?? null;
  if (last === null) {
    return (
      <span class="live">
        <i /> looking every few seconds
      </span>
    );
  }
  const age = now / 1000 - last;
  const ago = formatAge(age);
  if (newCaptures.value > 0) return <NewData count={newCaptures.value} />;
  return (
    <span class={`live ${age < FRESH ? "" : "old"}`} title="Age of the last capture">
      <i /> {age < FRESH ? "live" : "last capture"} · {ago}
    </span>
  );
}

/** Captures came, and the page stays where the user is: a way to the end. */
function NewData({ count }: { readonly count: number }): JSX.Element {
  return (
    <button
      type="button"
      class="btn live"
      onClick={() => setLive(true)}
      title="Go to the last capture and follow (End)"
    >
      <i /> {formatCount(count)} new {count === 1 ? "capture" : "captures"}: follow
    </button>
  );
}

function FindingsButton(): JSX.Element | null {
  const { data, error } = findings.value;
  if (summary.value === null) return null;
  const looking = data?.pending ?? error === null;
  const incomplete = error !== null || (data?.problems.length ?? 0) > 0;
  const all = data?.findings ?? [];
  const counts = SEVERITIES.map(
    (severity) => [severity, all.filter((each) => each.severity === severity).length] as const,
  );
  const shown = counts.filter(([, count]) => count > 0);
  return (
    <button type="button" class="btn" title="Show the findings" onClick={() => showView("findings")}>
      {shown.map(([severity, count]) => (
        <span key={severity} class="count">
          <SeverityIcon severity={severity} name={severity} /> {count}
        </span>
      ))}
      {all.length === 0 ? (
        <span class="dim">{looking ? "looking …" : incomplete ? "not all checked" : "no findings"}</span>
      ) : (
        <span class="dim">{all.length === 1 ? "finding" : "findings"}</span>
      )}
    </button>
  );
}
