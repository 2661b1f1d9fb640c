import { describe, expect, test } from "vitest";
import {
  visibleName,
  formatAge,
  formatBytes,
  formatCount,
  formatDuration,
  formatExact,
  formatExtents,
  formatFull,
  formatNumber,
  formatShape,
  formatShare,
  formatTick,
} from "./format";

describe("a number", () => {
  test.each([
    [0, "0"],
    [-0, "0"],
    [0.87, "0.870"],
    [1.36, "1.36"],
    [-0.39, "−0.390"],
    [1.84e-7, "1.84e−7"],
    [-2.61e-4, "−2.61e−4"],
    [0.001, "0.00100"],
    [0.0009996, "0.00100"],
    [0.0009994, "9.99e−4"],
    [175, "175"],
    [999.6, "1,000"],
    [1041.3, "1,041"],
    [401408, "401,408"],
    [999999.4, "999,999"],
    [999999.7, "1.00e6"],
    [1.5e22, "1.50e22"],
    [5e-324, "4.94e−324"],
    [NaN, "NaN"],
    [Infinity, "+Inf"],
    [-Infinity, "−Inf"],
    [undefined, "–"],
    [null, "–"],
  ])("%s reads %s", (value, text) => expect(formatNumber(value)).toBe(text));

  test("has four digits in a table", () => {
    expect([1.76, -0.612, 0.01721, 999.96].map((value) => formatNumber(value, 4))).toEqual([
      "1.760",
      "−0.6120",
      "0.01721",
      "1,000",
    ]);
  });
});

test("counts are grouped and never shortened", () => {
  expect([0, 999, 1605632, -4096, 123456789012345].map(formatCount)).toEqual([
    "0",
    "999",
    "1,605,632",
    "−4,096",
    "123,456,789,012,345",
  ]);
  expect(formatCount(-9007199254740993n)).toBe("−9,007,199,254,740,993");
});

test("a share that is not none and not all says so", () => {
  expect([0, 0.0001, 0.47, 0.78, 0.9999, 1, NaN].map(formatShare)).toEqual([
    "0",
    "<0.1\u202f%",
    "47.0\u202f%",
    "78.0\u202f%",
    ">99.9\u202f%",
    "100.0\u202f%",
    "NaN",
  ]);
});

test("bytes are SI with one decimal, and never four digits before the point", () => {
  expect([0, 999, 50_600, 999_949, 999_950, 2.5e12].map(formatBytes)).toEqual([
    "0 B",
    "999 B",
    "50.6 kB",
    "999.9 kB",
    "1.0 MB",
    "2.5 TB",
  ]);
});

test("ticks are as short as they are exact", () => {
  expect([0, 0.5, 2000, -5e-5, 1e-4, 0.30000000000000004, 1e7].map(formatTick)).toEqual([
    "0",
    "0.5",
    "2,000",
    "−5e−5",
    "1e−4",
    "0.3",
    "1e7",
  ]);
});

test("an exact number reads back as the same float32", () => {
  const random = [0.1, 1 / 3, 16777217, 1.1754943508222875e-38, 3.4028234663852886e38, -7.006492321624085e-46];
  for (const value of random.map(Math.fround)) expect(Math.fround(Number(formatExact(value)))).toBe(value);
  expect(formatExact(Math.fround(0.1))).toBe("0.1");
  expect(formatExact(0.1 + 0.2, false)).toBe("0.30000000000000004");
  expect([NaN, Infinity, -Infinity, -0, true, 5n].map((value) => formatExact(value))).toEqual([
    "nan",
    "inf",
    "-inf",
    "-0",
    "true",
    "5",
  ]);
  expect(formatFull(Math.fround(-1.5e-10))).toBe("−1.5e−10");
});

test("shapes and times", () => {
  expect(formatShape("float32", [null, 14, 14, 64])).toBe("float32 [None, 14, 14, 64]");
  expect(formatShape("int64", [])).toBe("int64 []");
  expect(formatShape(null, null)).toBe("unknown dtype");
  expect(formatExtents([128, 14, 14, 64], true)).toBe("14 × 14 × 64");
  expect(formatExtents([], false)).toBe("scalar");
  expect([0.2, 2.7, 300, 7300, 200_000].map(formatAge)).toEqual(["now", "2 s ago", "5 min ago", "2 h ago", "2 d ago"]);
  expect([0.0000123, 0.0032, 1.5, NaN].map(formatDuration)).toEqual(["12.3 µs", "3.20 ms", "1.50 s", "–"]);
  // Measured, and lost in the noise.
  expect(formatDuration(0)).toBe("≈ 0");
});

test("what can't be seen in a name has a sign, and what can is left alone", () => {
  const names = ["abc\u202edef", "a\nb", "", "white   space", "👩\u200d👧", "a\tb\u0000", "<b>"];
  expect(names.map(visibleName)).toEqual([
    "abc⟨U+202E⟩def",
    "a␤b",
    "(empty)",
    "white   space",
    "👩\u200d👧",
    "a⟨U+0009⟩b⟨U+0000⟩",
    "<b>",
  ]);
});
