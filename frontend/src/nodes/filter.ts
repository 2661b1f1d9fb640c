/*
 * Which nodes the list shows, and in which order. The one invariant: a filter never changes what is selected or where the page looks; it only
 * leaves rows out. A regular expression that doesn't compile matches nothing and says why.
 */

import { computed, signal } from "@preact/signals";
import { choiceLink, linkSignal, switchLink, wordLink } from "../host";
import { findings, nodes } from "../state";
import { KINDS, SEVERITIES, STATES } from "../types";
import type { Finding, GraphNode, Kind, Severity, State } from "../types";
import type { NodeIndex } from "../units";

export type Choice<T extends string> = T | "all";
export type FindingChoice = Severity | "all" | "any";

export const search = signal("");
/** Is `search` a regular expression? */
export const searchIsRegex = signal(false);
export const stateFilter = signal<Choice<State>>("all");
export const kindFilter = signal<Choice<Kind>>("all");
export const findingFilter = signal<FindingChoice>("all");

linkSignal("search", search, wordLink(""));
linkSignal("regex", searchIsRegex, switchLink(false));
linkSignal("state", stateFilter, choiceLink<Choice<State>>("all", STATES));
linkSignal("kind", kindFilter, choiceLink<Choice<Kind>>("all", KINDS));
linkSignal("finding", findingFilter, choiceLink<FindingChoice>("all", [...SEVERITIES, "any"]));

/** A test of names, or why there is none. */
export type Matcher = { readonly test: (name: string) => boolean; readonly error: null } | { readonly error: string };

/** Plain text is found anywhere, in upper or lower case; several words must all be there. */
export function matcherOf(text: string, regex: boolean): Matcher {
  if (!regex) {
    const words = text.toLowerCase().split(/\s+/).filter(Boolean);
    return { error: null, test: (name) => words.every((word) => name.toLowerCase().includes(word)) };
  }
  try {
    const pattern = new RegExp(text, "i");
    return { error: null, test: (name) => pattern.test(name) };
  } catch (error) {
    return { error: error instanceof Error ? error.message : String(error) };
  }
}

export const matcher = computed(() => matcherOf(search.value.trim(), searchIsRegex.value));

const rank = ({ severity }: Finding): number => SEVERITIES.indexOf(severity);

export function bySeverity(a: Finding, b: Finding): number {
  return rank(a) - rank(b) || a.first_step - b.first_step;
}

/** The findings of each node, the most severe first. */
export const findingsByNode = computed<ReadonlyMap<string, readonly Finding[]>>(() => {
  const found = new Map<string, Finding[]>();
  for (const finding of findings.value.data?.findings ?? []) {
    const known = found.get(finding.node);
    if (known === undefined) found.set(finding.node, [finding]);
    else known.push(finding);
  }
  for (const each of found.values()) each.sort(bySeverity);
  return found;
});

/** The findings of the node `path`, and of all below it where the row hides them; the most severe first. */
export function findingsAt(
  path: string,
  closed: boolean,
  byNode: ReadonlyMap<string, readonly Finding[]>,
): readonly Finding[] {
  const own = byNode.get(path) ?? [];
  if (!closed) return own;
  const hidden = [...byNode].filter(([name]) => name.startsWith(`${path}/`)).flatMap(([, found]) => found);
  return [...own, ...hidden].sort(bySeverity);
}

function passesFinding(choice: FindingChoice, found: readonly Finding[] | undefined): boolean {
  if (choice === "all") return true;
  return found !== undefined && (choice === "any" || found.some((finding) => finding.severity === choice));
}

/** Does the node pass every filter? Null when no filter is set, so that a list needn't ask 10,000 times. */
export const matches = computed<((index: NodeIndex) => boolean) | null>(() => {
  const names = matcher.value;
  const [state, kind, finding] = [stateFilter.value, kindFilter.value, findingFilter.value];
  if (search.value.trim() === "" && state === "all" && kind === "all" && finding === "all") return null;
  if (names.error !== null) return () => false;
  const passes = (node: GraphNode): boolean =>
    (state === "all" || node.state === state) &&
    (kind === "all" || node.kind === kind) &&
    passesFinding(finding, findingsByNode.value.get(node.name)) &&
    names.test(node.name);
  const passing = nodes.value.map(passes);
  return (index) => passing[index] ?? false;
});

/** Number of nodes that pass. */
export const matchCount = computed(() => {
  const test = matches.value;
  return test === null ? nodes.value.length : nodes.value.reduce((sum, _, index) => sum + Number(test(index)), 0);
});

export function clearFilters(): void {
  search.value = "";
  stateFilter.value = "all";
  kindFilter.value = "all";
  findingFilter.value = "all";
}
