/**
 * Numbers, sizes and times as the dashboard writes them.
 *
 * The one invariant: a text shown to a person never hides what kind of number stands behind it. NaN, the infinities and an exact zero
 * have words of their own, a tiny number is never rounded to "0", and a share that is not all is never "100 %".
 *
 * What is copied or downloaded does not pass through here but through `formatExact`, which gives back every bit.
 */

/** U+2212: as wide as "+", so that columns of signed numbers line up. */
export const MINUS = "\u2212";
/** U+202F, a narrow space that does not break: between a number and "%". */
export const THIN_SPACE = "\u202f";
/** What stands where there is no number. */
export const MISSING = "–";

const SMALLEST_PLAIN = 1e-3;
const SMALLEST_SCIENTIFIC = 1e6;

/** Inserts a comma between groups of three digits of a whole number. */
function group(digits: string): string {
  return digits.replace(/\B(?=(\d{3})+$)/g, ",");
}

/** `1.84e-7` becomes `1.84e−7`; the plus of an exponent goes. As many digits after the point as it needs, or `digits`. */
function scientific(magnitude: number, digits?: number): string {
  return magnitude.toExponential(digits).replace("-", MINUS).replace("+", "");
}

function nonFinite(value: number): string {
  if (Number.isNaN(value)) return "NaN";
  return value > 0 ? "+Inf" : `${MINUS}Inf`;
}

/** `digits` significant digits: 3 in lists and strips, 4 in tables. 0.870 keeps its zero so that a column can be compared. */
export function formatNumber(value: number | null | undefined, digits = 3): string {
  if (value === null || value === undefined) return MISSING;
  if (!Number.isFinite(value)) return nonFinite(value);
  if (value === 0) return "0";
  const sign = value < 0 ? MINUS : "";
  const magnitude = Math.abs(value);
  // Rounding decides the notation: 999.7 is written as 1,000, and 999,999.7 as 1.00e6.
  const rounded = Number(magnitude.toPrecision(digits));
  if (rounded < SMALLEST_PLAIN || Math.round(magnitude) >= SMALLEST_SCIENTIFIC)
    return sign + scientific(magnitude, digits - 1);
  if (rounded >= 1000) return sign + group(String(Math.round(magnitude)));
  return sign + magnitude.toPrecision(digits);
}

/** A difference: what has grown says so. */
export function formatDifference(value: number): string {
  return (value > 0 ? "+" : "") + formatNumber(value);
}

/** A count or a step: grouped, never shortened. */
export function formatCount(value: number | bigint | null | undefined): string {
  if (value === null || value === undefined) return MISSING;
  if (typeof value === "number" && !Number.isFinite(value)) return nonFinite(value);
  return group(String(typeof value === "number" ? Math.round(value) : value)).replace("-", MINUS);
}

/** A share of the whole, 0…1, as `78.0 %`. What rounds to none or all but is neither says so: `<0.1 %`, `>99.9 %`. */
export function formatShare(share: number | null | undefined): string {
  if (share === null || share === undefined) return MISSING;
  if (!Number.isFinite(share)) return nonFinite(share);
  if (share === 0) return "0";
  const percent = 100 * share;
  if (percent > 0 && percent < 0.05) return `<0.1${THIN_SPACE}%`;
  if (percent < 100 && percent >= 99.95) return `>99.9${THIN_SPACE}%`;
  return `${percent < 0 ? MINUS : ""}${Math.abs(percent).toFixed(1)}${THIN_SPACE}%`;
}

const BYTE_UNITS = ["kB", "MB", "GB", "TB", "PB"] as const;

/** SI units, one decimal: `50.6 kB`. Bytes themselves have no fraction. */
export function formatBytes(bytes: number): string {
  if (bytes < 1000) return `${formatCount(bytes)} B`;
  let scaled = bytes / 1000;
  let unit = 0;
  // 999.95 kB would be written as "1000.0 kB": go on to the next unit where the rounded number has four digits.
  while (scaled >= 999.95 && unit < BYTE_UNITS.length - 1) {
    scaled /= 1000;
    unit += 1;
  }
  return `${scaled.toFixed(1)} ${BYTE_UNITS[unit] ?? ""}`;
}

/** A number on an axis: as short as it is exact to four digits, so `0.5`, `2,000`, `1e−4`. */
export function formatTick(value: number): string {
  if (!Number.isFinite(value)) return nonFinite(value);
  if (value === 0) return "0";
  const sign = value < 0 ? MINUS : "";
  const magnitude = Number(Math.abs(value).toPrecision(4));
  if (magnitude < SMALLEST_PLAIN || magnitude >= SMALLEST_SCIENTIFIC) {
    return sign + scientific(magnitude);
  }
  const [whole = "", fraction] = String(magnitude).split(".");
  return sign + group(whole) + (fraction === undefined ? "" : `.${fraction}`);
}

/** The shortest decimal that reads back as the same float32 (or float64 where `single` is false). Plain ASCII, for files and clipboards. */
export function formatExact(value: number | bigint | boolean, single = true): string {
  if (typeof value !== "number") return String(value);
  if (Number.isNaN(value)) return "nan";
  if (!Number.isFinite(value)) return value > 0 ? "inf" : "-inf";
  if (Object.is(value, -0)) return "-0";
  if (!single || Number.isInteger(value) || Math.fround(value) !== value) return String(value);
  for (let digits = 6; digits < 9; digits += 1) {
    const short = Number(value.toPrecision(digits));
    if (Math.fround(short) === value) return String(short);
  }
  return String(Number(value.toPrecision(9)));
}

/** `formatExact` for the eye: true minus, NaN and Inf in the dashboard's words. */
export function formatFull(value: number | bigint | boolean, single = true): string {
  if (typeof value === "number" && !Number.isFinite(value)) return nonFinite(value);
  return formatExact(value, single).replace(/-/g, MINUS).replace("e+", "e");
}

/** `float32 [128, 14, 14, 64]`. An extent that is not known is written as Keras writes it, None. */
export function formatShape(dtype: string | null, shape: readonly (number | null)[] | null): string {
  const extents = shape === null ? "" : ` [${shape.map((extent) => extent ?? "None").join(", ")}]`;
  return `${dtype ?? "unknown dtype"}${extents}`;
}

/** `14 × 14 × 64`, without the batch axis, for places with little room. `batched` says whether the first axis is one. */
export function formatExtents(shape: readonly (number | null)[] | null, batched: boolean): string {
  if (shape === null) return "unknown shape";
  const extents = batched ? shape.slice(1) : shape;
  return extents.length === 0 ? "scalar" : extents.map((extent) => extent ?? "?").join(" × ");
}

/** Clock time of `seconds` since the epoch, `14:32:08`, in the reader's own time zone. */
export function formatClock(seconds: number): string {
  const date = new Date(seconds * 1000);
  return [date.getHours(), date.getMinutes(), date.getSeconds()].map((part) => String(part).padStart(2, "0")).join(":");
}

const AGES = [
  { unit: "d", seconds: 86_400 },
  { unit: "h", seconds: 3_600 },
  { unit: "min", seconds: 60 },
  { unit: "s", seconds: 1 },
] as const;

/** `2 s ago`, `5 min ago`. A clock that runs ahead of ours gives `now`. */
export function formatAge(seconds: number): string {
  const age = AGES.find((entry) => seconds >= entry.seconds);
  return age === undefined ? "now" : `${Math.floor(seconds / age.seconds)} ${age.unit} ago`;
}

/** A duration in seconds with the unit that suits it: `3.20 ms`. */
export function formatDuration(seconds: number): string {
  if (!Number.isFinite(seconds)) return MISSING;
  if (seconds === 0) return "≈ 0";
  if (seconds < 1e-3) return `${formatNumber(seconds * 1e6)} µs`;
  if (seconds < 1) return `${formatNumber(seconds * 1e3)} ms`;
  return `${formatNumber(seconds)} s`;
}

/** Controls, and marks that have no width or turn the direction of text round; not the joiners, which emoji and scripts need. */
const UNSEEN = /[\p{Cc}\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u2069\ufeff]/gu;

/** A name with signs for what can't be seen in it, so that no name is blank, breaks a line or reads backwards. */
export function visibleName(name: string): string {
  const sign = (mark: string): string => `⟨U+${mark.charCodeAt(0).toString(16).toUpperCase().padStart(4, "0")}⟩`;
  return name === "" ? "(empty)" : name.replace(UNSEEN, (mark) => (mark === "\n" ? "␤" : sign(mark)));
}
