/*
 * The top bar: which run, compared with which, which nodes, and how things stand. The one invariant: everything in it is about the whole page.
 */

import type { JSX } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";
import { formatAge, formatCount } from "../format";
import { addShortcuts } from "../keys";
import { connection } from "../live";
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
import {
  compareRun,
  compareStep,
  comparedStep,
  findings,
  live,
  run,
  runs,
  selectRun,
  setCompareRun,
  setCompareStep,
  setLive,
  setView,
  step,
  summary,
} from "../state";
import { KINDS, SEVERITIES, STATES } from "../types";
import type { Seconds } from "../units";
import { IconButton, Select } from "../widgets/controls";
import { Icon, SeverityIcon } from "../widgets/icons";
import { openHelp } from "./help";

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
          <Filters narrow={narrow} />
        </>
      )}
      <span class="grow" />
      <LiveMark narrow={narrow} />
      {some && <FindingsButton narrow={narrow} />}
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
  const options = all.map((each) => ({ value: each.run }));
  const missing = chosen !== "" && summary.value === null ? [{ value: chosen, label: `${chosen} (not here)` }] : [];
  const none = all.length === 0 && missing.length === 0 ? [{ value: "", label: "none yet" }] : [];
  return (
    <Select
      label="Run"
      className="run"
      value={chosen}
      options={[...none, ...missing, ...options]}
      onChange={selectRun}
    />
  );
}

const THIS_STEP = "step:here";
const KEPT_STEP = "step:kept";

/** A second run, or the step that is on screen now, to stand beside what is chosen next. */
function CompareSelect(): JSX.Element {
  const others = (runs.value ?? []).filter((each) => each.run !== run.value).map((each) => `run:${each.run}`);
  const value = compareRun.value !== null ? `run:${compareRun.value}` : compareStep.value !== null ? KEPT_STEP : "none";
  const options = [
    { value: "none" },
    ...(compareStep.value === null ? [] : [{ value: KEPT_STEP, label: `step ${formatCount(comparedStep.value)}` }]),
    ...(step.value === null ? [] : [{ value: THIS_STEP, label: `this step (${formatCount(step.value)})` }]),
    ...others.map((each) => ({ value: each, label: each.slice("run:".length) })),
  ];
  return (
    <Select
      label="Compare"
      className="run"
      value={value}
      options={options}
      onChange={(chosen) => {
        setCompareRun(chosen.startsWith("run:") ? chosen.slice("run:".length) : null);
        if (chosen === THIS_STEP) setCompareStep(step.peek());
      }}
    />
  );
}

function Search(): JSX.Element {
  const input = useRef<HTMLInputElement>(null);
  const { error } = matcher.value;
  useEffect(
    () => addShortcuts([{ keys: ["/"], shown: ["/"], does: "Search nodes", run: () => input.current?.focus() }]),
    [],
  );
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
        <IconButton icon="close" label="Clear the search" className="ghost small" onClick={() => (search.value = "")} />
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

function Filters({ narrow }: { readonly narrow: boolean }): JSX.Element {
  const withAll = <T extends string>(values: readonly T[]): readonly { value: T | "all" }[] =>
    ["all" as const, ...values].map((value) => ({ value }));
  return (
    <>
      <Select
        label="State"
        value={stateFilter.value}
        options={withAll(STATES)}
        onChange={(value) => (stateFilter.value = value)}
      />
      <Select
        label="Kind"
        value={kindFilter.value}
        options={withAll(KINDS)}
        onChange={(value) => (kindFilter.value = value)}
      />
      {!narrow && findingsByNode.value.size > 0 && (
        <Select<FindingChoice>
          label="Finding"
          value={findingFilter.value}
          options={[
            { value: "all", label: "all" },
            { value: "any", label: "any" },
            ...SEVERITIES.map((value) => ({ value })),
          ]}
          onChange={(value) => (findingFilter.value = value)}
        />
      )}
    </>
  );
}

/** Captures older than this are of a training that has ended, or that stands still. */
const FRESH: Seconds = 90;

function LiveMark({ narrow }: { readonly narrow: boolean }): JSX.Element {
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
  if (!live.value && age < FRESH) return <NewData />;
  return (
    <span class={`live ${age < FRESH ? "" : "old"}`} title="Age of the last capture">
      <i /> {age < FRESH ? (narrow ? "live" : `live · ${ago}`) : narrow ? ago : `last capture ${ago}`}
    </span>
  );
}

/** New captures arrive, and the page stays where the user is: a way to the end. */
function NewData(): JSX.Element {
  return (
    <button
      type="button"
      class="btn live"
      onClick={() => setLive(true)}
      title="Go to the last capture and follow (End)"
    >
      <i /> new captures: follow
    </button>
  );
}

/** The time, every second, in milliseconds since the epoch. */
function useNow(): number {
  const [now, setNow] = useState(Date.now());
  useEffect(() => {
    const timer = setInterval(() => setNow(Date.now()), 1000);
    return () => clearInterval(timer);
  }, []);
  return now;
}

function FindingsButton({ narrow }: { readonly narrow: boolean }): JSX.Element {
  const all = findings.value.data?.findings ?? [];
  const counts = SEVERITIES.map(
    (severity) => [severity, all.filter((each) => each.severity === severity).length] as const,
  );
  const shown = counts.filter(([, count]) => count > 0);
  return (
    <button type="button" class="btn" title="Show the findings" onClick={() => setView("findings")}>
      {shown.map(([severity, count]) => (
        <span key={severity} class="count">
          <SeverityIcon severity={severity} /> {count} <span class="sr">{severity},</span>
        </span>
      ))}
      {all.length === 0 ? (
        <span class="dim">no findings</span>
      ) : (
        <span class={narrow ? "sr" : "dim"}>{all.length === 1 ? "finding" : "findings"}</span>
      )}
    </button>
  );
}
