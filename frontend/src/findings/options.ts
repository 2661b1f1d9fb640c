/** Which findings the table shows. Read from the address before the table itself is loaded. */

import { signal } from "@preact/signals";
import { choiceLink, linkSignal, switchLink, wordLink } from "../host";
import { SEVERITIES } from "../types";
import type { Severity } from "../types";

export const SEVERITY_CHOICES = ["all", ...SEVERITIES] as const;

export const severityChoice = signal<Severity | "all">("all");
export const ruleChoice = signal("all");
/** Are all rows drawn, however many there are? */
export const everyFinding = signal(false);

linkSignal("severity", severityChoice, choiceLink<Severity | "all">("all", SEVERITY_CHOICES));
linkSignal("rule", ruleChoice, wordLink("all"));
linkSignal("every", everyFinding, switchLink(false));
