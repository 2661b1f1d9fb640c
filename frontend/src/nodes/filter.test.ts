// @vitest-environment jsdom
import { expect, test } from "vitest";

import type { Finding } from "../types";
import { findingsAt, matcherOf } from "./filter";

function found(text: string, regex: boolean, names: readonly string[]): readonly string[] {
  const matcher = matcherOf(text, regex);
  return matcher.error === null ? names.filter(matcher.test) : [];
}

const NAMES = ["encoder/conv2d", "encoder/conv2d/kernel", "Head/Dense", "a.b", "a+b", "axb"];

test("plain text is found anywhere, in any case, and every word must be there", () => {
  expect(found("CONV", false, NAMES)).toEqual(["encoder/conv2d", "encoder/conv2d/kernel"]);
  expect(found("kernel enc", false, NAMES)).toEqual(["encoder/conv2d/kernel"]);
  expect(found("a.b", false, NAMES)).toEqual(["a.b"]);
  expect(found("", false, NAMES)).toEqual(NAMES);
});

test("a regular expression is one", () => {
  expect(found("^enc.*2d$", true, NAMES)).toEqual(["encoder/conv2d"]);
  expect(found("a.b", true, NAMES)).toEqual(["a.b", "a+b", "axb"]);
});

test("one that doesn't compile matches nothing and says why", () => {
  expect(matcherOf("(", true).error).toMatch(/group/i);
});

test("a closed row tells of what was found below it, an open one of its own node only", () => {
  const finding = (node: string, severity: string): Finding => ({ node, severity, first_step: 0 }) as Finding;
  const own = finding("conv", "note");
  const inside = finding("conv/kernel", "error");
  const other = finding("conv2/kernel", "error");
  const byNode = new Map([own, inside, other].map((each) => [each.node, [each]]));
  expect(findingsAt("conv", false, byNode)).toEqual([own]);
  expect(findingsAt("conv", true, byNode)).toEqual([inside, own]);
});
