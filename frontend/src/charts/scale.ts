/**
 * Scales: between a number and its place, 0…1, on an axis or a colour bar.
 *
 * The one invariant: `invert(unit(v))` is v for every v inside the scale, and `unit` is monotonic. Nothing is clamped here: a value outside
 * gives a place outside, and who paints decides what to do with it. NaN stays NaN; a value that a log or square-root scale has no place for
 * (zero or below) gives −Infinity or the low end.
 */

export type ScaleKind = "linear" | "log" | "sqrt" | "symlog";

export interface Scale {
  readonly kind: ScaleKind;
  readonly low: number;
  readonly high: number;
  /** symlog: values within ±linear are placed linearly. 0 for other kinds. */
  readonly linear: number;
  unit(value: number): number;
  invert(unit: number): number;
}

interface Warp {
  forward(value: number): number;
  backward(warped: number): number;
}

/** One decade beyond the linear part takes as much room as the linear part itself. */
function symlogWarp(linear: number): Warp {
  return {
    forward: (value) =>
      Math.abs(value) <= linear ? value / linear : Math.sign(value) * (1 + Math.log10(Math.abs(value) / linear)),
    backward: (warped) =>
      Math.abs(warped) <= 1 ? warped * linear : Math.sign(warped) * linear * 10 ** (Math.abs(warped) - 1),
  };
}

function warpOf(kind: ScaleKind, linear: number): Warp {
  switch (kind) {
    case "linear":
      return { forward: (value) => value, backward: (warped) => warped };
    case "log":
      return {
        forward: (value) => (value > 0 ? Math.log10(value) : value <= 0 ? -Infinity : NaN),
        backward: (warped) => 10 ** warped,
      };
    case "sqrt":
      return {
        forward: (value) => (value > 0 ? Math.sqrt(value) : value <= 0 ? 0 : NaN),
        backward: (warped) => warped * warped,
      };
    case "symlog":
      return symlogWarp(linear);
  }
}

/** Makes the scale over [low, high]. An empty interval is widened, so that a constant has its place in the middle. */
export function makeScale(kind: ScaleKind, low: number, high: number, linear = 0): Scale {
  const warp = warpOf(kind, linear);
  const [from, to] = widened(kind, low, high);
  const start = warp.forward(from);
  const span = warp.forward(to) - start;
  return {
    kind,
    low: from,
    high: to,
    linear,
    unit: (value) => (warp.forward(value) - start) / span,
    invert: (unit) => warp.backward(start + unit * span),
  };
}

function widened(kind: ScaleKind, low: number, high: number): [number, number] {
  if (high > low) return [low, high];
  if (kind === "log") return low > 0 ? [low / 2, low * 2] : [1e-3, 1];
  if (kind === "sqrt") return low > 0 ? [0, low] : [0, 1];
  const half = Math.abs(low) > 0 ? Math.abs(low) / 2 : 1;
  return [low - half, low + half];
}

/** The round step (1, 2 or 5 times a power of ten) that divides [low, high] into about `count` parts. */
export function roundStep(low: number, high: number, count: number): number {
  const raw = (high - low) / Math.max(1, count);
  const power = 10 ** Math.floor(Math.log10(raw));
  const factor = raw / power;
  return power * (factor < 1.5 ? 1 : factor < 3.5 ? 2 : factor < 7.5 ? 5 : 10);
}

function linearTicks(low: number, high: number, count: number): number[] {
  if (!(high > low)) return [low];
  const step = roundStep(low, high, count);
  const ticks: number[] = [];
  const last = Math.floor(high / step + 1e-6);
  // Multiply instead of adding up: 0.1 + 0.1 + 0.1 is not 0.3.
  for (let index = Math.ceil(low / step - 1e-6); index <= last; index += 1)
    ticks.push(index === 0 ? 0 : Number((index * step).toPrecision(12)));
  return ticks;
}

function decades(low: number, high: number, count: number): number[] {
  const first = Math.ceil(Math.log10(low) - 1e-9);
  const last = Math.floor(Math.log10(high) + 1e-9);
  const stride = Math.max(1, Math.round((last - first + 1) / Math.max(1, count)));
  const ticks: number[] = [];
  for (let power = first; power <= last; power += stride) ticks.push(Number(`1e${power}`));
  return ticks;
}

/** Within less than two decades, 1, 2 and 5 of each decade are the readable ticks. */
function logTicks(low: number, high: number, count: number): number[] {
  const whole = decades(low, high, count);
  if (high >= 100 * low || whole.length >= count) return whole;
  const ticks: number[] = [];
  for (let power = Math.floor(Math.log10(low)); power <= Math.ceil(Math.log10(high)); power += 1) {
    for (const factor of [1, 2, 5]) {
      const tick = Number(`${factor}e${power}`);
      if (tick >= low * (1 - 1e-9) && tick <= high * (1 + 1e-9)) ticks.push(tick);
    }
  }
  return ticks.length >= 2 ? ticks : linearTicks(low, high, count);
}

function symlogTicks(scale: Scale, count: number): number[] {
  const side = (limit: number): number[] =>
    limit > scale.linear ? decades(scale.linear, limit, Math.max(1, Math.floor(count / 2))) : [];
  const negative = scale.low < 0 ? side(-scale.low).map((tick) => -tick) : [];
  const positive = scale.high > 0 ? side(scale.high) : [];
  return [...negative.reverse(), ...(scale.low <= 0 && scale.high >= 0 ? [0] : []), ...positive];
}

/** Even in the square root, so that the low end, where the interesting shares are, gets its share of ticks. */
function sqrtTicks(scale: Scale, count: number): number[] {
  const ticks = new Set<number>();
  for (let index = 0; index <= count; index += 1) {
    const raw = scale.invert(index / count);
    ticks.add(raw <= 0 ? 0 : Number(raw.toPrecision(1)));
  }
  return [...ticks].filter((tick) => tick >= scale.low && tick <= scale.high * (1 + 1e-9));
}

/** About `count` round numbers inside the scale, ascending. */
export function ticks(scale: Scale, count: number): number[] {
  switch (scale.kind) {
    case "linear":
      return linearTicks(scale.low, scale.high, count);
    case "log":
      return logTicks(scale.low, scale.high, count);
    case "sqrt":
      return sqrtTicks(scale, count);
    case "symlog":
      return symlogTicks(scale, count);
  }
}
