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
export class WireError extends Error {
  override name = "WireError";
}

export interface Decoded {
  readonly arrays: ReadonlyMap<string, Tensor>;
  readonly metadata: Readonly<Record<string, string>>;
}

interface Codec {
  readonly bytes: number;
  readonly read: (buffer: ArrayBufferLike, offset: number, length: number) => Numbers;
}

interface Entry {
  readonly dtype: string;
  readonly shape: readonly number[];
  readonly data_offsets: readonly [number, number];
}

const PREFIX_BYTES = 8;

type NumbersConstructor = {
  readonly BYTES_PER_ELEMENT: number;
  new (buffer: ArrayBufferLike, offset: number, length: number): Numbers;
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

function bits16(buffer: ArrayBufferLike, offset: number, length: number): Uint16Array {
  return direct(Uint16Array).read(buffer, offset, length) as Uint16Array;
}

/** bfloat16 is the upper half of a float32, so the bits only move. */
function readBfloat16(buffer: ArrayBufferLike, offset: number, length: number): Float32Array {
  const widened = Uint32Array.from(bits16(buffer, offset, length), (bits) => bits << 16);
  return new Float32Array(widened.buffer);
}

/** 1 sign, 5 exponent (bias 15), 10 fraction bits; exponent 0 holds zero and subnormals, 31 Inf and NaN. */
function halfToNumber(bits: number): number {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >> 10) & 0x1f;
  const fraction = bits & 0x3ff;
  if (exponent === 0) return sign * fraction * 2 ** -24;
  if (exponent === 31) return fraction ? NaN : sign * Infinity;
  return sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
}

/** All 65,536 halves, made when the first half-precision tensor arrives: a table look-up per element instead of a power. */
let halves: Float32Array | undefined;

function readFloat16(buffer: ArrayBufferLike, offset: number, length: number): Float32Array {
  const table = (halves ??= Float32Array.from({ length: 65536 }, (_, bits) => halfToNumber(bits)));
  return Float32Array.from(bits16(buffer, offset, length), (bits) => table[bits]);
}

/** 64-bit integers become float64: exact to 2^53, which steps and ids never pass. `Tensor.bytes` keeps the exact ones. */
function wide(signed: boolean): Codec {
  return {
    bytes: 8,
    read: (buffer, offset, length) => {
      const view = new DataView(buffer, offset, length * 8);
      const at = (index: number): bigint =>
        signed ? view.getBigInt64(index * 8, true) : view.getBigUint64(index * 8, true);
      return Float64Array.from({ length }, (_, index) => Number(at(index)));
    },
  };
}

const CODECS: Readonly<Record<string, Codec>> = {
  F64: direct(Float64Array),
  F32: direct(Float32Array),
  F16: { bytes: 2, read: readFloat16 },
  BF16: { bytes: 2, read: readBfloat16 },
  I64: wide(true),
  U64: wide(false),
  I32: direct(Int32Array),
  U32: direct(Uint32Array),
  I16: direct(Int16Array),
  U16: direct(Uint16Array),
  I8: direct(Int8Array),
  U8: direct(Uint8Array),
  BOOL: direct(Uint8Array),
};

/** Decodes one binary answer. Throws `WireError`. */
export function decode(buffer: ArrayBuffer): Decoded {
  const headerBytes = readHeaderLength(buffer);
  const header = parseHeader(new Uint8Array(buffer, PREFIX_BYTES, headerBytes));
  const dataStart = PREFIX_BYTES + headerBytes;
  const arrays = new Map<string, Tensor>();
  let metadata: Readonly<Record<string, string>> = {};
  for (const [name, entry] of Object.entries(header)) {
    if (name === "__metadata__") metadata = entry as Record<string, string>;
    else arrays.set(name, readArray(buffer, dataStart, name, entry));
  }
  return { arrays, metadata };
}

function readHeaderLength(buffer: ArrayBuffer): number {
  if (buffer.byteLength < PREFIX_BYTES) {
    throw new WireError(`Expected at least ${PREFIX_BYTES} bytes. Received: ${buffer.byteLength}`);
  }
  const length = Number(new DataView(buffer).getBigUint64(0, true));
  if (length > buffer.byteLength - PREFIX_BYTES) {
    throw new WireError(`Expected a header inside the ${buffer.byteLength} bytes. Received: header length=${length}`);
  }
  return length;
}

function parseHeader(bytes: Uint8Array): Readonly<Record<string, unknown>> {
  let header: unknown;
  try {
    header = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
  } catch (error) {
    throw new WireError("Expected a JSON header.", { cause: error });
  }
  if (typeof header !== "object" || header === null || Array.isArray(header)) {
    throw new WireError("Expected the header to be a JSON object.");
  }
  return header as Record<string, unknown>;
}

function isEntry(entry: unknown): entry is Entry {
  const { dtype, shape, data_offsets: offsets } = (entry ?? {}) as Partial<Entry>;
  const extent = (value: unknown): boolean => Number.isSafeInteger(value) && (value as number) >= 0;
  return (
    typeof dtype === "string" &&
    Array.isArray(shape) &&
    shape.every(extent) &&
    Array.isArray(offsets) &&
    offsets.length === 2 &&
    offsets.every(extent)
  );
}

function readArray(buffer: ArrayBuffer, dataStart: number, name: string, entry: unknown): Tensor {
  if (!isEntry(entry)) throw new WireError(`Expected dtype, shape and data_offsets. Received: array=${name}`);
  const codec = Object.hasOwn(CODECS, entry.dtype) ? CODECS[entry.dtype] : undefined;
  if (codec === undefined) throw new WireError(`Unknown dtype. Received: array=${name}, dtype=${entry.dtype}`);
  const length = entry.shape.reduce((product, extent) => product * extent, 1);
  const [begin, end] = entry.data_offsets;
  if (end - begin !== length * codec.bytes || dataStart + end > buffer.byteLength) {
    throw new WireError(
      `Expected ${length * codec.bytes} bytes of data. Received: array=${name}, offsets=${begin}…${end}`,
    );
  }
  return {
    dtype: entry.dtype,
    shape: entry.shape,
    data: codec.read(buffer, dataStart + begin, length),
    bytes: new Uint8Array(buffer, dataStart + begin, end - begin),
  };
}
