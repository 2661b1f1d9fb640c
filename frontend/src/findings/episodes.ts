/*
 * The rows of the table of findings. The one invariant: what one rule found at one node in one quantity is one row, however often it came and
 * went, and a row of two runs that are compared says in which of them it is. Rows come in the order of the report, causes first.
 */

import type { Finding } from "../types";

/** What one rule found at one node of a run, the first time first. */
export interface Episodes {
  readonly id: string;
  readonly run: string;
  readonly all: readonly Finding[];
  /** `also in second/train`; empty when nothing is compared. */
  readonly where: string;
}

export interface Found {
  readonly run: string;
  /** Are rules still looking? Then what isn't found is no proof. */
  readonly pending: boolean;
  readonly findings: readonly Finding[];
}

function grouped(all: readonly Finding[]): ReadonlyMap<string, readonly Finding[]> {
  const groups = new Map<string, Finding[]>();
  for (const finding of all) {
    const id = [finding.rule, finding.node, finding.quantity].join(" ");
    groups.set(
      id,
      [...(groups.get(id) ?? []), finding].sort((a, b) => a.first_step - b.first_step),
    );
  }
  return groups;
}

/** The rows of `mine`, then those that only `theirs` has. */
export function episodesOf(mine: Found, theirs: Found | null): readonly Episodes[] {
  const [own, others] = [grouped(mine.findings), grouped(theirs?.findings ?? [])];
  const only = mine.pending || theirs?.pending === true ? "in" : "only in";
  const where = (id: string): string =>
    theirs === null ? "" : others.has(id) ? `also in ${theirs.run}` : `${only} ${mine.run}`;
  const rows = [...own].map(([id, all]): Episodes => ({ id, run: mine.run, all, where: where(id) }));
  for (const [id, all] of others) {
    if (theirs !== null && !own.has(id)) rows.push({ id, run: theirs.run, all, where: `${only} ${theirs.run}` });
  }
  return rows;
}
