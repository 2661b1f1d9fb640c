/** Which findings the table shows. Read from the address before the table itself is loaded. */

import { signal } from "@preact/signals";
import { choiceLink, linkSignal, wordLink } from "../host";
import { SEVERITIES } from "../types";
import type { Severity } from "../types";

export const SEVERITY_CHOICES = ["all", ...SEVERITIES] as const;

export const severityChoice = signal<Severity | "all">("all");
export const ruleChoice = signal("all");

linkSignal("severity", severityChoice, choiceLink<Severity | "all">("all", SEVERITY_CHOICES));
linkSignal("rule", ruleChoice, wordLink("all"));
