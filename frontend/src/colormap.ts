/**
 * Colour maps: from a number to a colour, and from a set of numbers to the domain that a map covers.
 *
 * The one invariant: the stops come from the design tokens (`--seq`, `--dens`, `--div`, `--gray`) and nowhere else, so a map is always the one of
 * the theme that is on. A number that is not finite has no entry in any map; `colorIndex` says so instead of choosing a neighbour.
 */

import { makeScale, type Scale, type ScaleKind } from "./charts/scale";

/** seq: a statistic. dens: amounts that start at zero. div: signed, symmetric about 0. gray: images of the input. */
export type ColormapName = "seq" | "dens" | "div" | "gray";

export interface Colormap {
  /** 256 colours as ImageData wants them on a little-endian machine: 0xAABBGGRR. */
  readonly pixels: Uint32Array;
  /** The same 256 colours as CSS. */
  readonly css: readonly string[];
  /** For each entry the ink that can be read on it. */
  readonly ink: readonly string[];
}

type Rgb = readonly [number, number, number];

export const COLORS = 256;

/** Entries of `colorIndex` that are no entry of a map. */
export const NAN_INDEX = -1;
export const POSITIVE_INFINITY_INDEX = -2;
export const NEGATIVE_INFINITY_INDEX = -3;

/** `#rgb` or `#rrggbb` to three bytes. */
export function parseColor(text: string): Rgb {
  const hex = text.trim().slice(1);
  const digits = hex.length > 3 ? 2 : 1;
  const channel = (index: number): number => {
    const part = hex.slice(index * digits, (index + 1) * digits);
    return Number.parseInt(part, 16) * (digits > 1 ? 1 : 17);
  };
  return [channel(0), channel(1), channel(2)];
}

/** Relative luminance as WCAG 2.2 defines it. */
export function luminance(color: Rgb): number {
  const [red, green, blue] = color.map((byte) => {
    const share = byte / 255;
    return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
  }) as [number, number, number];
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
}

/** At this luminance black and white have the same contrast, 4.6 : 1. */
const EQUAL_CONTRAST = 0.179;

/** Resamples the stops of a token, evenly spaced, to 256 entries. */
export function buildColormap(stops: string): Colormap {
  const colors = stops.split(",").map(parseColor);
  const pixels = new Uint32Array(COLORS);
  const css: string[] = [];
  const ink: string[] = [];
  for (let index = 0; index < COLORS; index += 1) {
    const color = interpolate(colors, index / (COLORS - 1));
    pixels[index] = ((255 << 24) | (color[2] << 16) | (color[1] << 8) | color[0]) >>> 0;
    css.push(`rgb(${color.join(",")})`);
    ink.push(luminance(color) > EQUAL_CONTRAST ? "#000" : "#fff");
  }
  return { pixels, css, ink };
}

function interpolate(colors: readonly Rgb[], place: number): Rgb {
  const position = place * (colors.length - 1);
  const index = Math.min(colors.length - 2, Math.floor(position));
  const [from, to = from] = colors.slice(index);
  return from.map((start, channel) => Math.round(start + (to[channel] - start) * (position - index))) as [
    number,
    number,
    number,
  ];
}

const built = new Map<string, Colormap>();

/** The map of this name in the theme that is on. Keyed by the stops themselves, so that a change of theme can't leave an old one behind. */
export function colormap(name: ColormapName): Colormap {
  const stops = getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
  let map = built.get(stops);
  if (map === undefined) {
    map = buildColormap(stops);
    built.set(stops, map);
  }
  return map;
}

/** The entry 0…255 of `value`; values beyond the ends take the end's colour, what is not finite one of the three indices below zero. */
export function colorIndex(scale: Scale, value: number): number {
  if (Number.isNaN(value)) return NAN_INDEX;
  if (value === Infinity) return POSITIVE_INFINITY_INDEX;
  if (value === -Infinity) return NEGATIVE_INFINITY_INDEX;
  const place = scale.unit(value);
  return place <= 0 ? 0 : place >= 1 ? COLORS - 1 : Math.round(place * (COLORS - 1));
}

/** What a set of values is coloured with: the map's name and the scale over its domain. */
export interface Coloring {
  readonly map: ColormapName;
  readonly scale: Scale;
}

/** That of values of which none is finite: it has no place for a number. */
export const NOTHING_FINITE: Coloring = { map: "dens", scale: makeScale("linear", NaN, NaN) };

/** Signed data get the diverging map, symmetric about 0; amounts get `dens` from 0 up. */
export function coloringOf(low: number, high: number, kind: ScaleKind = "linear"): Coloring {
  if (!(low <= high)) return NOTHING_FINITE;
  if (low < 0) {
    const limit = Math.max(-low, high);
    return { map: "div", scale: makeScale("linear", -limit, limit) };
  }
  return { map: "dens", scale: makeScale(kind, 0, high > 0 ? high : 1) };
}

/** Smallest and largest finite value, or undefined where there is none. */
export function finiteRange(values: ArrayLike<number>): { low: number; high: number } | undefined {
  let low = Infinity;
  let high = -Infinity;
  for (let index = 0; index < values.length; index += 1) {
    const value = values[index];
    if (value - value !== 0) continue; // true for NaN and both infinities
    if (value < low) low = value;
    if (value > high) high = value;
  }
  return low <= high ? { low, high } : undefined;
}

/** The magnitude below which `share` of the finite values lie (0 where there is none). */
export function magnitudePercentile(values: ArrayLike<number>, share: number): number {
  const magnitudes = new Float64Array(values.length);
  let count = 0;
  for (let index = 0; index < values.length; index += 1) {
    const value = Math.abs(values[index]);
    if (value < Infinity) magnitudes[count++] = value;
  }
  if (count === 0) return 0;
  const sorted = magnitudes.subarray(0, count).sort();
  return sorted[Math.min(count - 1, Math.max(0, Math.ceil(share * count) - 1))] ?? 0;
}
