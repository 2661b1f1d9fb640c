/*
 * Decodes a binary answer, which is laid out as a safetensors file:
 *
 *   | u64 header length | JSON header, padded | array | array | …
 *
 * The one invariant: what comes out has exactly the extents the header promises, or `WireError` is thrown; nothing after this needs to
 * check lengths. Arrays are views into the answer where type and alignment allow it, else copies. Browsers run on little-endian
 * machines, as safetensors is; there is no byte swapping.
 */

import type { Numbers, Tensor } from "./types";

/** The answer isn't a well-formed safetensors file. */
export class WireError extends Error {}

export interface Decoded {
  readonly arrays: ReadonlyMap<string, Tensor>;
  readonly metadata: Readonly<Record<string, string>>;
}

interface Codec {
  readonly bytes: number;
  readonly read: (buffer: ArrayBuffer, offset: number, length: number) => Numbers;
}

interface Entry {
  readonly dtype: string;
  readonly shape: readonly number[];
  readonly data_offsets: readonly [number, number];
}

interface Header {
  readonly __metadata__?: Readonly<Record<string, string>>;
  readonly [name: string]: unknown;
}

const PREFIX_BYTES = 8;

type NumbersConstructor = {
  readonly BYTES_PER_ELEMENT: number;
  new (buffer: ArrayBuffer, offset: number, length: number): Numbers;
};

/** A view where the offset is aligned, else a copy: the header of another writer may leave arrays at any offset. */
function direct(type: NumbersConstructor): Codec {
  const bytes = type.BYTES_PER_ELEMENT;
  return {
    bytes,
    read: (buffer, offset, length) =>
      offset % bytes === 0
        ? new type(buffer, offset, length)
        : new type(buffer.slice(offset, offset + length * bytes), 0, length),
  };
}

function bits16(buffer: ArrayBuffer, offset: number, length: number): Uint16Array {
  return direct(Uint16Array).read(buffer, offset, length) as Uint16Array;
}

/** bfloat16 is the upper half of a float32, so the bits only move. */
function readBfloat16(buffer: ArrayBuffer, offset: number, length: number): Float32Array {
  const widened = Uint32Array.from(bits16(buffer, offset, length), (bits) => bits << 16);
  return new Float32Array(widened.buffer);
}

/** The bits of halves (exponent bias 15) as those of floats (bias 127) are 2^112 times too small, and Inf and NaN are none yet. */
function readFloat16(buffer: ArrayBuffer, offset: number, length: number): Float32Array {
  const halves = bits16(buffer, offset, length);
  const moved = Uint32Array.from(halves, (bits) => ((bits & 0x8000) << 16) | ((bits & 0x7fff) << 13));
  return new Float32Array(moved.buffer).map((value, index) => {
    const [exponent, fraction] = [halves[index] & 0x7c00, halves[index] & 0x3ff];
    return exponent < 0x7c00 ? value * 2 ** 112 : fraction > 0 ? NaN : value * Infinity;
  });
}

/** 64-bit integers become float64: exact to 2^53, which steps and ids never pass. `Tensor.bytes` keeps the exact ones. */
function wide(type: typeof BigInt64Array | typeof BigUint64Array): Codec {
  return {
    bytes: 8,
    read: (buffer, offset, length) =>
      Float64Array.from(new type(buffer.slice(offset, offset + 8 * length), 0, length), Number),
  };
}

const CODECS: Readonly<Record<string, Codec>> = {
  F64: direct(Float64Array),
  F32: direct(Float32Array),
  F16: { bytes: 2, read: readFloat16 },
  BF16: { bytes: 2, read: readBfloat16 },
  I64: wide(BigInt64Array),
  U64: wide(BigUint64Array),
  I32: direct(Int32Array),
  U32: direct(Uint32Array),
  I16: direct(Int16Array),
  U16: direct(Uint16Array),
  I8: direct(Int8Array),
  U8: direct(Uint8Array),
  BOOL: direct(Uint8Array),
};

function readArray(
  buffer: ArrayBuffer,
  dataStart: number,
  { dtype, shape, data_offsets: [begin, end] }: Entry,
): Tensor {
  const { bytes, read } = CODECS[dtype];
  const length = shape.reduce((product, extent) => product * extent, 1);
  const whole = [...shape, begin].every((extent) => Number.isSafeInteger(extent) && extent >= 0);
  if (!whole || end - begin !== length * bytes) throw new RangeError(`bytes of ${dtype}`);
  return {
    dtype,
    shape,
    data: read(buffer, dataStart + begin, length),
    bytes: new Uint8Array(buffer, dataStart + begin, end - begin),
  };
}

/** Decodes one binary answer. Throws `WireError`. */
export function decode(buffer: ArrayBuffer): Decoded {
  try {
    const headerBytes = Number(new DataView(buffer).getBigUint64(0, true));
    const text = new TextDecoder("utf-8", { fatal: true }).decode(new Uint8Array(buffer, PREFIX_BYTES, headerBytes));
    const { __metadata__: metadata = {}, ...entries } = JSON.parse(text) as Header;
    const arrays = Object.entries(entries as Record<string, Entry>).map(
      ([name, entry]) => [name, readArray(buffer, PREFIX_BYTES + headerBytes, entry)] as const,
    );
    return { arrays: new Map(arrays), metadata };
  } catch (error) {
    throw new WireError(String(error), { cause: error });
  }
}
