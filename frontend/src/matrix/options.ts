/**
 * What the matrix and the graph are coloured by, beyond statistic and quantity: both views share the scale, so that a colour means the same in both.
 */

import { signal } from "@preact/signals";
import { choiceLink, linkSignal } from "../host";

const SCALES = ["log", "linear"] as const;
const DOMAINS = ["shared", "row"] as const;
const ROW_CHOICES = ["all", "recorded", "findings"] as const;

export type ColorScale = (typeof SCALES)[number];
/** `shared`: one domain for all rows. `row`: each row has its own, for the shape of small ones. */
export type Domain = (typeof DOMAINS)[number];
export type RowChoice = (typeof ROW_CHOICES)[number];

export const colorScale = signal<ColorScale>("log");
export const domain = signal<Domain>("shared");
export const rowChoice = signal<RowChoice>("all");

linkSignal("scale", colorScale, choiceLink<ColorScale>("log", SCALES));
linkSignal("domain", domain, choiceLink<Domain>("shared", DOMAINS));
linkSignal("rows", rowChoice, choiceLink<RowChoice>("all", ROW_CHOICES));
